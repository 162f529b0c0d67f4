"""The campaign monitor: its statistic against brute force, its false alarms against what was asked for."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillgame.errors import DistillgameError
from distillgame.gateway.access import Monitor, features, read_reference
from distillgame.gateway.api import ChatRequest

TOPICS = [
    ["recipe", "flour", "butter", "oven", "sugar", "bake", "dough", "salt", "pan", "stir", "simmer", "spice"],
    ["train", "ticket", "hotel", "airport", "city", "museum", "map", "luggage", "passport", "beach", "flight"],
    ["function", "variable", "compile", "error", "python", "loop", "index", "array", "class", "method", "debug"],
    ["dear", "regards", "sincerely", "meeting", "invoice", "schedule", "reply", "attached", "confirm", "thanks"],
]


def ordinary(rng: random.Random) -> str:
    words = rng.choice(TOPICS)
    return "please help with " + " ".join(rng.choices(words, k=rng.randint(4, 14)))


def harvest(rng: random.Random) -> str:
    return (
        f"A shop sells {rng.randint(2, 90)} pens for {rng.randint(2, 90)} dollars each. How many dollars are "
        f"{rng.randint(2, 9)} boxes worth? Think step by step."
    )


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    rng = random.Random(0)
    return Monitor([ordinary(rng) for _ in range(1600)], window=32, false_alarm=0.01)


def test_the_statistic_is_the_unbiased_mmd_by_brute_force() -> None:
    rng = random.Random(1)
    reference = [ordinary(rng) for _ in range(80)]
    made = Monitor(reference, window=8, false_alarm=0.1)
    window = np.stack([features(harvest(rng)) for _ in range(8)])
    compared = made._compared

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        inner = float(x.astype(float) @ y.astype(float))
        return inner + inner**2

    n, m = len(window), len(compared)
    own = sum(kernel(window[i], window[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    theirs = sum(kernel(compared[i], compared[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    cross = sum(kernel(x, y) for x in window for y in compared) / (n * m)
    assert made.judge(window).statistic == pytest.approx(own + theirs - 2 * cross, abs=1e-6)


def test_ordinary_windows_are_flagged_at_the_rate_that_was_asked_for(monitor: Monitor) -> None:
    """600 fresh windows at a rate of 1%: 6 expected, more than 18 has probability 2e-5.

    The slack is for the threshold, which itself comes from a finite reference.
    """
    rng = random.Random(2)
    flagged = sum(monitor.judge(np.stack([features(ordinary(rng)) for _ in range(32)])).flagged for _ in range(600))
    assert flagged <= 18


def test_a_campaign_is_flagged(monitor: Monitor) -> None:
    rng = random.Random(3)
    windows = [monitor.see("harvester", harvest(rng)) for _ in range(64)]
    full = [window for window in windows if window is not None]
    assert len(full) == 2
    assert all(monitor.judge(window).flagged for window in full)


def test_windows_of_owners_are_apart(monitor: Monitor) -> None:
    rng = random.Random(4)
    for i in range(31):
        assert monitor.see("a", harvest(rng)) is None
        assert monitor.see(f"b{i}", ordinary(rng)) is None
    assert monitor.see("a", harvest(rng)) is not None


def test_prompts_are_not_kept(monitor: Monitor) -> None:
    monitor.see("secretive", "the launch code is swordfish")
    assert "swordfish" not in repr(vars(monitor))


def test_odd_prompts_have_features() -> None:
    for prompt in ("", "a", "é" * 5000, "\x00", "🦎" * 3):
        assert np.linalg.norm(features(prompt)) == pytest.approx(1, abs=1e-5)


def test_a_reference_is_text_or_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text('plain text\n\n{"prompt": "as json"}\n{"messages": [{"role": "user", "content": "chat"}]}\n')
    assert read_reference(path) == ["plain text", "as json", "chat"]
    path.write_text('{"question": "x"}\n')
    with pytest.raises(DistillgameError, match="line 1"):
        read_reference(path)
    with pytest.raises(DistillgameError, match="No such file"):
        read_reference(tmp_path / "none")
    with pytest.raises(DistillgameError, match="too few"):
        Monitor(["a"] * 100, window=64)


SYSTEM = (
    "You are a helpful assistant of the Example company. Answer in French, politely, and never mention prices. " * 4
)


def chat(text: str, parts: bool = False) -> list[dict[str, Any]]:
    content: Any = [{"type": "text", "text": text[:5]}, {"type": "text", "text": text[5:]}] if parts else text
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": content},
        {"role": "assistant", "content": "a long answer that nobody asked " * 9},
        {"role": "user", "content": "thanks"},
    ]


def asked(text: str, parts: bool = False) -> str:
    """The text that a server reads of such a conversation."""
    body = {"model": "m", "messages": chat(text, parts)}
    return ChatRequest.model_validate(body).client_texts[0]


@pytest.mark.parametrize("parts", [False, True])
def test_a_system_prompt_that_the_reference_has_too_is_no_campaign(tmp_path: Path, parts: bool) -> None:
    rng = random.Random(5)
    path = tmp_path / "reference.jsonl"
    path.write_text("\n".join(json.dumps({"messages": chat(ordinary(rng), not parts)}) for _ in range(800)))
    made = Monitor(read_reference(path), window=32, false_alarm=0.01)
    honest = [np.stack([features(asked(ordinary(rng), parts)) for _ in range(32)]) for _ in range(40)]
    assert sum(made.judge(window).flagged for window in honest) <= 4
    campaign = np.stack([features(asked(harvest(rng), parts)) for _ in range(32)])
    assert made.judge(campaign).flagged


def test_reference_and_traffic_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"messages": chat("two words", parts=True)}))
    assert read_reference(path) == [asked("two words")] == [f"{SYSTEM}\ntwo words\nthanks"]


def test_a_reference_as_people_have_it(tmp_path: Path) -> None:
    path = tmp_path / "r"
    odd = "one\u2028line\u0085of\u2029text\x0b\x0c\x1c"
    parts = [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]
    rows = [odd, json.dumps({"prompt": odd}, ensure_ascii=False), json.dumps({"prompt": parts})]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert read_reference(path) == [odd, odd, "in parts"]
    wrong: Any
    for wrong in (
        {"prompt": None},
        {"prompt": 5},
        {"messages": []},
        {"messages": "hello"},
        {"messages": [{"role": "user", "content": [{"image": 1}]}]},
        {"messages": [{"role": "assistant", "content": "a"}]},
    ):
        path.write_bytes(b"\xef\xbb\xbf" + f"fine\n{json.dumps(wrong)}".encode())
        with pytest.raises(DistillgameError, match=r"r: line 2: "):
            read_reference(path)
