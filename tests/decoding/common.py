"""What the engine's tests share."""

from dataclasses import replace
from typing import Any

from distillgame.decoding import Calibration, Request
from distillgame.models import LanguageModel

PROMPTS = ["4 dog", "3 cat , 2 snake", "9 crab , 1 ant , 5 bee"]
POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("temperature", {"temperature": 1.1}),
    ("poe", {"gamma": 0.5}),
    ("ads", {"lambda": 0.5}),
    ("permutation", {"lambda": 0.5}),
    ("equilibrium_gap", {"eta": 0.5, "kappa": 0.8}),
    ("equilibrium_grad", {"eta": 0.2, "kappa": 0.1}),
]


def requests(prompts: list[str] = PROMPTS, copies: int = 1) -> list[Request]:
    return [
        Request(f"{prompt}/{k}", [{"role": "user", "content": prompt}], " #### ")
        for prompt in prompts
        for k in range(copies)
    ]


def encoded(teacher: LanguageModel, prompts: list[str], copies: int) -> list[Request]:
    """The same, as token ids that were made once per prompt: applying a chat template takes longer than sampling."""
    ids = {prompt: tuple(teacher.prompt_ids([{"role": "user", "content": prompt}])) for prompt in prompts}
    return [
        replace(request, messages=[], prompt=ids[request.messages[0]["content"]])
        for request in requests(prompts, copies)
    ]


def drafting(far: bool = True) -> Calibration:
    """A machine on which drafting pays: ``far`` ahead, or one or two tokens."""
    return Calibration(teacher={1: [1.0] * 9 if far else [1.0, 1.1, 1.6, 3.0, 9.0]}, proxy={1: 0.01 if far else 0.1})
