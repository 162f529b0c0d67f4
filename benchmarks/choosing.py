"""The cost of mixing, measuring and drawing at a vocabulary of 49,152, with freed memory returned and kept.

Run ``python benchmarks/choosing.py``: it prints a Markdown table of medians in milliseconds.
"""

import statistics
import time

import torch

from distillgame.decoding import SamplingParams
from distillgame.decoding.drawing.chooser import Chooser
from distillgame.policies import Experts, make_policy
from distillgame.process import keep_freed_memory

VOCABULARY = 49_152
POSITIONS = (1, 8, 32, 96)
REPETITIONS = 15
TEMPERATURE = 0.6
CASES = {
    "standard": ("standard", {}, False),
    "standard, speculating": ("standard", {}, True),
    "poe": ("poe", {"gamma": 0.5}, True),
    "ads": ("ads", {"lambda": 0.2}, True),
    "equilibrium_gap": ("equilibrium_gap", {"eta": 0.5, "kappa": 1.0}, True),
}


def milliseconds(case: str, positions: int) -> float:
    name, strength, proxied = CASES[case]
    chooser = Chooser(make_policy(name, strength), None)
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(positions, VOCABULARY, generator=generator) * 2
    teacher[:, :100] += torch.randn(positions, 100, generator=generator) * 5 + 12
    proxy = teacher + torch.randn(positions, VOCABULARY, generator=generator) * 0.3
    experts = Experts(teacher, TEMPERATURE, (proxy,) if proxied else (), (proxy * 0.01,), (0,) * positions)
    uniforms = torch.rand(positions, 3, dtype=torch.float64, generator=generator)
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        chooser.choose(experts, SamplingParams(temperature=TEMPERATURE), uniforms, greedy=False)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


@torch.inference_mode()
def main() -> None:
    found = {}
    for memory in ("given back", "kept"):
        if memory == "kept":
            keep_freed_memory()
        found[memory] = {case: [milliseconds(case, n) for n in POSITIONS] for case in CASES}
    print("| policy | memory | " + " | ".join(f"{n} positions" for n in POSITIONS) + " |")
    print("| --- | --- |" + " ---: |" * len(POSITIONS))
    for case in CASES:
        for memory, times in found.items():
            print(f"| {case} | {memory} | " + " | ".join(f"{t:.2f}" for t in times[case]) + " |")


if __name__ == "__main__":
    main()
