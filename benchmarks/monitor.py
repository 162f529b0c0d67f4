"""The campaign monitor on real prompts: `python benchmarks/monitor.py DATA` (two minutes).

DATA is a folder with gsm8k/train.jsonl and math/test.jsonl. Ordinary traffic is half one, half the other, drawn anew
for each window from prompts that the reference does not hold.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from distillgame.gateway.access import Monitor, features

WINDOWS = 2000
"""Fresh ordinary windows."""

CAMPAIGNS = 300
"""Windows of each other kind."""


def main() -> None:
    """Print rates at which windows are flagged."""
    data = Path(sys.argv[1])
    rng = random.Random(0)
    gsm = [json.loads(line)["question"] for line in (data / "gsm8k/train.jsonl").open()]
    math = [json.loads(line) for line in (data / "math/test.jsonl").open()]
    rng.shuffle(gsm)
    rng.shuffle(math)
    problems = [row["problem"] for row in math]
    geometry = [row["problem"] for row in math[2500:] if row.get("subject", row.get("type")) == "Geometry"]
    reference = gsm[:1000] + problems[:1000]
    fresh_gsm, fresh_math = gsm[1000:], problems[2500:]

    def ordinary() -> str:
        return str(rng.choice(fresh_gsm if rng.random() < 0.5 else fresh_math))

    def template() -> str:
        return f"Solve and show every step: what is {rng.randint(10, 99)} times {rng.randint(10, 99)}?"

    def diluted() -> str:
        return str(rng.choice(fresh_gsm if rng.random() < 0.75 else fresh_math))

    kinds: dict[str, Callable[[], str]] = {
        "a campaign on GSM8K": lambda: rng.choice(fresh_gsm),
        "a campaign on GSM8K, a quarter MATH": diluted,
        "a campaign by template": template,
        "a campaign that mimics ordinary traffic": ordinary,
        "an honest user who asks geometry alone": lambda: rng.choice(geometry),
    }
    vectors = {text: features(text) for text in {*fresh_gsm, *fresh_math, *geometry}}

    def window(size: int, draw: Callable[[], str]) -> np.ndarray:
        texts = [draw() for _ in range(size)]
        return np.stack([vectors[text] if text in vectors else features(text) for text in texts])

    for size in (32, 64):
        for rate in (0.01, 0.001):
            monitor = Monitor(reference, size, rate)
            flagged = sum(monitor.judge(window(size, ordinary)).flagged for _ in range(WINDOWS))
            print(f"window {size}, asked for {rate:.1%}: {flagged} of {WINDOWS} ordinary windows")
            for name, draw in kinds.items():
                found = sum(monitor.judge(window(size, draw)).flagged for _ in range(CAMPAIGNS))
                print(f"    {name}: {found / CAMPAIGNS:.1%}")


if __name__ == "__main__":
    main()
