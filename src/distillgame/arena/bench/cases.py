"""The cases that are timed, and one timing of a case."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from distillgame.arena.bench.baseline import Baseline
from distillgame.arena.bench.pairs import POLICIES, TEMPERATURE, Pair
from distillgame.decoding import Calibration, DerivativeName, Engine, SamplingParams
from distillgame.report import case_name


@dataclass(frozen=True)
class Case:
    """One way to sample.

    Attributes:
        policy: The policy's name.
        engine: Ours, or the transformers baseline.
        speculative: Whether the proxy drafts.
        derivative: How ADS's derivative is computed, empty elsewhere; the baseline runs two copies of the proxy.
    """

    policy: str
    engine: Literal["distillgame", "transformers"] = "distillgame"
    speculative: bool = False
    derivative: DerivativeName | Literal[""] = ""

    @property
    def label(self) -> str:
        """A short name."""
        return case_name(self.policy, self.derivative, self.speculative, self.engine)


CASES = (
    Case("standard"),
    Case("standard", speculative=True),
    Case("poe"),
    Case("poe", speculative=True),
    Case("ads", derivative="low_rank"),
    Case("ads", derivative="jvp"),
    Case("ads", speculative=True, derivative="low_rank"),
    Case("standard", engine="transformers"),
    Case("poe", engine="transformers"),
    Case("ads", engine="transformers"),
)


@dataclass(frozen=True)
class Timing:
    """One repetition.

    Attributes:
        seconds: Wall time.
        tokens: Tokens sampled.
        acceptance: Share of tokens that the draft distribution had proposed, None where there is none.
    """

    seconds: float
    tokens: int
    acceptance: float | None = None


def prepare(
    pair: Pair, case: Case, batch: int, lengths: Sequence[int], calibration: Calibration | None = None
) -> Callable[[], Timing]:
    """Set a case up, and return the function that times it once.

    Args:
        pair: Teacher and proxy.
        case: How to sample.
        batch: Sequences together.
        lengths: Tokens of each sequence.
        calibration: Costs of the pair's passes, for speculation.
    """
    if case.engine == "transformers":
        baseline = Baseline(pair, case.policy)

        def time_baseline() -> Timing:
            requests = pair.requests(case.policy, len(lengths))
            start = _now()
            baseline.generate(requests, lengths, batch)
            return Timing(_now() - start, sum(lengths))

        return time_baseline
    requests = [
        replace(request, params=SamplingParams(temperature=TEMPERATURE, max_new_tokens=length, ignore_end=True))
        for request, length in zip(pair.requests(case.policy, len(lengths)), lengths, strict=True)
    ]
    engine = Engine(
        pair.teacher, POLICIES[case.policy], proxies={"proxy": pair.proxy}, directions={"proxy": pair.direction},
        derivative=case.derivative or "low_rank", batch_size=batch, speculative=case.speculative,
        calibration=calibration, token_budget=2**20,
    )  # fmt: skip
    if case.speculative and (calibration is None or case.policy == "ads"):
        engine.calibration = engine.calibrate(calibration, ())  # its proxy does more work than the plain one

    def time_engine() -> Timing:
        pair.requests(case.policy, 0)
        start = _now()
        samples = engine.generate(requests, SamplingParams())
        seconds = _now() - start
        tokens = sum(len(s.token_ids) for s in samples)
        accepted = sum(s.accepted for s in samples) / tokens if engine.proxies is not None else None
        return Timing(seconds, tokens, accepted)

    return time_engine


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
