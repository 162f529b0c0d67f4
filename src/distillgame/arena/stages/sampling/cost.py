"""The cost of a policy: time per sampled token, relative to undefended sampling in the same engine."""

import json
import statistics
import time
from typing import ClassVar

from distillgame.arena.config import CostSettings, Generation
from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.stages.engine import make_engine
from distillgame.arena.stages.inputs import GradientStage
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.decoding import Request
from distillgame.policies import PolicyChoice
from distillgame.vllm.remote import RemoteEngine

COST_TOKENS = 128
"""Most tokens of a completion that is timed."""

COSTS = "costs.json"
"""The stage's result: for each policy's label the median, lowest and highest ratio."""


class CostStage(Stage):
    """Time every policy on the same prompts, interleaved, each repetition relative to its own standard sampling.

    Completions do not end by themselves here: a policy that makes them shorter would pay for its prompts, and for
    running with fewer and fewer rows, over fewer tokens.

    It measures the machine: run again, it gives other numbers. Within a run it is measured once and kept.

    Attributes:
        problems: Where prompts come from.
        teacher: The teacher.
        proxies: The proxies by name.
        gradients: The defender's gradient at each, where a policy needs it.
        policies: The policies that are timed.
        sampling: How it is sampled.
        settings: Prompts and repetitions.
    """

    kind: ClassVar[str] = "cost"
    revision: ClassVar[int] = 4
    exclusive: ClassVar[bool] = True

    problems: ProblemSet
    teacher: Model
    proxies: dict[str, Model]
    gradients: dict[str, GradientStage]
    policies: tuple[PolicyChoice, ...]
    sampling: Generation
    settings: CostSettings

    @property
    def label(self) -> str:
        """The number of policies."""
        return f"time {len(self.policies)} policies"

    def run(self, context: StageContext) -> None:
        """Write ``costs.json``."""
        task = self.problems.task.task
        problems = self.problems.load()[: self.settings.prompts]
        requests = [Request(problem.id, task.messages(problem), task.forced_answer) for problem in problems]
        standard = PolicyChoice(name="standard")
        policies = {policy.label: policy for policy in (standard, *self.policies)}
        ratios: dict[str, list[float]] = {label: [] for label in policies}
        self._seconds_per_token(standard, requests, context)  # The first run of all pays for lazy initialisation.
        for repetition in range(self.settings.repetitions):
            seconds = {name: self._seconds_per_token(policy, requests, context) for name, policy in policies.items()}
            for label, value in seconds.items():
                ratios[label].append(value / seconds["standard"])
            context.progress(repetition + 1, self.settings.repetitions)
        summary = {
            label: {"median": statistics.median(values), "min": min(values), "max": max(values)}
            for label, values in ratios.items()
        }
        (context.out / COSTS).write_text(json.dumps(summary, indent=1) + "\n")

    def _seconds_per_token(self, policy: PolicyChoice, requests: list[Request], context: StageContext) -> float:
        # One engine at a time: those of several policies would hold several perturbed copies of the proxy.
        engine = make_engine(self.teacher, policy, self.proxies, self.gradients, self.sampling, context)
        params = self.sampling.params()
        length = min(params.max_new_tokens, COST_TOKENS)
        params = params.model_copy(
            update={"max_new_tokens": length, "forced_answer_tokens": 0, "stop": (), "ignore_end": True}
        )
        if isinstance(engine, RemoteEngine):
            # It may have been started for this policy, and would read prompts for the first time.
            engine.generate(requests, params)
        start = time.perf_counter()
        samples = engine.generate(requests, params)
        return (time.perf_counter() - start) / sum(len(sample.token_ids) for sample in samples)
