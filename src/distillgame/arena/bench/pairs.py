"""The pairs that are timed: the embedded one as it is, and shaped ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from distillgame.arena.bench.recording import record
from distillgame.arena.bench.shaped import SHAPES, Recording, shaped_model, shaped_text
from distillgame.decoding import PRECISIONS, Precision, Request, SamplingParams
from distillgame.models import Example, LanguageModel, load_model, training_example
from distillgame.policies import make_policy
from distillgame.tasks import Problem
from distillgame.values import Direction, collate, objective_gradient
from distillgame.worlds.leg_counting import LegCounting

TEMPERATURE = 0.6
TRACES = 64
"""Traces that are recorded for a shaped pair."""

SIZES = (("7B", "3B"), ("7B", "0.5B"), ("3B", "0.5B"), ("0.5B", "135M"), ("135M", "16M"))
"""Teachers and proxies of shaped pairs on a GPU, largest first."""

RESERVE = 4e9
"""Bytes on a GPU that are left for keys, values, logits and intermediate results."""

POLICIES = {
    "standard": make_policy("standard"),
    "poe": make_policy("poe", {"gamma": 0.5}),
    "ads": make_policy("ads", {"lambda": 0.2}),
}
"""The policies that are timed, with the strengths of the default game."""


@dataclass(frozen=True)
class Pair:
    """A teacher and a proxy with something to sample.

    Attributes:
        name: ``embedded``, or ``shaped`` and the sizes.
        teacher: The teacher.
        proxy: The proxy.
        direction: A gradient at the proxy.
        requests: Makes so many requests to be sampled under a policy, called by its name; whatever is sampled from a
            shaped pair has to be asked for here first.
        quick: Whether passes take so little time that more of them are timed.
    """

    name: str
    teacher: LanguageModel
    proxy: LanguageModel
    direction: Direction
    requests: Callable[[str, int], list[Request]]
    quick: bool


@cache
def embedded_pair(device: str) -> Pair:
    """The shipped teacher and proxy, the gradient of the proxy's loss on worked solutions."""
    teacher, proxy = load_model("embedded:teacher", device), load_model("embedded:proxy", device)
    pools = LegCounting(train=64, test=256).pools()
    problems = pools["test"]
    examples = [training_example(proxy.tokenizer, _conversation(p), True) for p in pools["train"]]
    direction = objective_gradient(proxy.model, [collate(examples, proxy.tokenizer.pad_token_id, device)])
    task = LegCounting()

    def requests(policy: str, count: int) -> list[Request]:
        chosen = [problems[i % len(problems)] for i in range(count)]
        return [Request(f"{i}", task.messages(problem)) for i, problem in enumerate(chosen)]

    return Pair("embedded", teacher, proxy, direction, requests, True)


class ShapedPairs:
    """Networks of stated sizes on the embedded pair's distributions, in the precisions that are asked for.

    Args:
        teacher: The teacher's size.
        proxy: The proxy's size.
        vocabulary: Number of logits of both.
        device: Where they run.
    """

    def __init__(self, teacher: str, proxy: str, vocabulary: int, device: str):
        self.name = f"shaped {teacher}/{proxy}, vocabulary {vocabulary:,}"
        self.precisions: tuple[Precision, ...] = PRECISIONS if device == "cpu" else ("bfloat16",)
        self.sizes, self.vocabulary, self.device = (teacher, proxy), vocabulary, device
        self._networks: dict[tuple[int, Precision], LanguageModel] = {}
        self._recordings = _recordings(device, TRACES)
        self._direction = _shaped_direction(self.network(1, self.precisions[0]), self._recordings["standard"], device)

    def network(self, role: int, precision: Precision) -> LanguageModel:
        """Return the teacher (0) or the proxy (1) in a precision."""
        key = (role, precision)
        if key not in self._networks:
            shape = SHAPES[self.sizes[role]]
            self._networks[key] = shaped_model(shape, self.vocabulary, getattr(torch, precision), self.device, role)
        return self._networks[key]

    def pair(self, teacher: Precision, proxy: Precision) -> Pair:
        """Return the pair whose networks have these precisions."""
        large, small = self.network(0, teacher), self.network(1, proxy)

        def requests(policy: str, count: int) -> list[Request]:
            recording = self._recordings[policy]
            large.model.replay(recording.prompts, recording.teacher)
            small.model.replay(recording.prompts, recording.proxy)
            texts = [shaped_text(recording, i % TRACES) for i in range(count)]
            return [Request(f"{i}", [{"role": "user", "content": text}]) for i, text in enumerate(texts)]

        return Pair(self.name, large, small, self._direction, requests, False)


@cache
def _recordings(device: str, traces: int) -> dict[str, Recording]:
    """The embedded pair's logits along its traces under each policy."""
    trained = embedded_pair(device)
    params = SamplingParams(temperature=TEMPERATURE, max_new_tokens=96)
    return {
        name: record(trained.teacher, trained.proxy, trained.direction, policy, trained.requests(name, traces), params)
        for name, policy in POLICIES.items()
    }


def shaped_sizes(device: str, vocabulary: int) -> tuple[str, str]:
    """Return the sizes of the shaped pair: the largest that the GPU's free memory holds, or the one for CPUs.

    Of the proxy there are at once, besides itself in half precision, in float32: the direction, a network for each
    derivative (low rank with its factors), the two copies of the baseline, and matrices that are being factorised.
    """
    if device == "cpu":
        return SIZES[-1]
    free = torch.cuda.mem_get_info()[0] - RESERVE
    for teacher, proxy in SIZES[:-1]:
        large, small = (SHAPES[size].parameters(vocabulary) for size in (teacher, proxy))
        if 2 * large + (2 + 7 * 4) * small <= free:
            return teacher, proxy
    return SIZES[-1]


def _shaped_direction(proxy: LanguageModel, recording: Recording, device: str) -> Direction:
    """The gradient of its loss on the token stream, before its logits are replaced; its rank is above a real one's."""
    size = recording.teacher.shape[-1]
    examples = [
        Example(tuple(i * size + t for t in prompt), tuple((i * size + recording.teacher[i].argmax(-1)).tolist()))
        for i, prompt in enumerate(recording.prompts[:16])
    ]
    return objective_gradient(proxy.model, [collate(examples, 0, device)])


def _conversation(problem: Problem) -> list[dict[str, str]]:
    answer = {"role": "assistant", "content": problem.solution}
    return [*LegCounting().messages(problem), answer]


def lengths(count: int, median: int, seed: int = 0) -> Sequence[int]:
    """Long-tailed lengths: log-normal with sigma 1, at most 16 times the median."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(count, generator=generator).exp() * median
    return [max(1, min(round(x), 16 * median)) for x in draws.tolist()]
