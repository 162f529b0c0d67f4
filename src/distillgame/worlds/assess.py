"""Measurements of an embedded model: its accuracy in its own style, with its working, and without it."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch

from distillgame.decoding import Engine, Request, SamplingParams
from distillgame.models import LanguageModel
from distillgame.policies import Experts, ReleasePolicy
from distillgame.tasks import Problem
from distillgame.worlds.base import World
from distillgame.worlds.notation import Counting, shown_shares

Mode = Literal["free", "full", "terse", "bare"]

GREEDY = SamplingParams(temperature=0, max_new_tokens=140)
"""Greedy decoding, long enough for every solution in every embedded tokenizer."""

OPEN = 3e-3
"""Working may begin where the model gives it more than this probability; only there is it a matter of style."""

FORCED = 1e4
"""A logit above all others; an infinite one would look like a broken model."""


class _Styled(ReleasePolicy):
    """The model, forced into a style for every step, and to take steps.

    The colon that begins the working and the word that begins a running total have noticeable probability only where
    a step may have them. A student also gives some probability to answering at once, without any step.
    """

    name = "styled"

    def __init__(self, model: LanguageModel, mode: Mode):
        self.mode = mode
        self.colon = model.tokenizer.encode("4 :", add_special_tokens=False)[-1]
        self.total = model.tokenizer.encode("4 total", add_special_tokens=False)[1]
        self.direct = model.tokenizer.encode("####", add_special_tokens=False)[0]

    def logits(self, experts: Experts) -> torch.Tensor:
        logits = experts.teacher.clone()
        if self.mode == "full":
            self._force(logits, self.colon)
        elif self.mode in {"terse", "bare"}:
            logits[:, self.colon] = -torch.inf
        if self.mode == "terse":
            self._force(logits, self.total)
        elif self.mode == "bare":
            logits[:, self.total] = -torch.inf
        if self.mode != "free":
            # Only an answer without any step starts with this token; later ones carry a space.
            logits[:, self.direct] = -torch.inf
        return logits

    def _force(self, logits: torch.Tensor, token: int) -> None:
        may_begin = torch.softmax(logits, -1)[:, token] > OPEN
        logits[may_begin, token] = FORCED


def accuracy(model: LanguageModel, mode: Mode, task: Counting, problems: Sequence[Problem]) -> tuple[float, float]:
    """Return the greedy accuracy in a mode, and the share of steps that show their working."""
    requests = [Request(problem.id, task.messages(problem)) for problem in problems]
    samples = Engine(model, _Styled(model, mode), batch_size=256).generate(requests, GREEDY)
    right = sum(task.grade(s.completion, p).correct for s, p in zip(samples, problems, strict=True))
    return right / len(problems), shown_shares([sample.completion for sample in samples])[0]


def assess(model: LanguageModel, world: World, count: int) -> dict[str, float]:
    """Measure a model on problems of the train pool, never those that a game reports.

    Returns:
        The accuracies ``free``, and ``full``, ``terse`` and ``bare`` where forced into these styles; ``working``, the
        share of free steps with working; ``public``, the accuracy in full style on public facts alone, where there
        are private ones.
    """
    task = world.task(train=8000, test=4000)
    problems, public = task.pools()["train"][-count:], world.public(count)
    free, working = accuracy(model, "free", task, problems)
    found = {"free": free, "working": working}
    for mode in world.styles:
        found[mode] = accuracy(model, mode, task, problems)[0]
    if public:
        found["public"] = accuracy(model, "full", task, public)[0]
    return found


def violations(found: Mapping[str, float], required: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return a text for each measurement that is not within its bounds."""
    return [
        f"{name} is {found[name]:.3f}, not within {low:g} to {high:g}"
        for name, (low, high) in required.items()
        if not low <= found[name] <= high
    ]
