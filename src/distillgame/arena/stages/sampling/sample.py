"""Sample a split from a teacher under a policy, or from a trained student; grade what comes."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.engine import make_engine
from distillgame.arena.stages.inputs import TRACES, GradientStage, TracesStage, TrainingStage
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.decoding import Calibration, Engine, Request, Sample, Sampler
from distillgame.policies import PolicyChoice
from distillgame.records import Trace, read_traces, write_traces
from distillgame.seeding import derive_seed
from distillgame.tasks import Problem, Task

CALIBRATION = "calibration.json"
"""Costs of passes on the machine that ran the stage first, where it speculates."""

BATCHES_PER_SHARD = 8
"""A killed stage resumes at the last finished shard of this many batches."""


class SampleStage(TracesStage):
    """Sample every problem of a split once.

    Attributes:
        problems: What is asked.
        model: Who answers, or the base model of ``trained``.
        trained: The training whose result answers, for a student.
        policy: The release policy.
        proxies: The proxies that the policy needs, by name.
        gradients: The defender's gradient at each, where the policy needs it.
        sampling: How.
        seed: Seed of the random streams.
        draw: Which of several draws of the same prompts this is.
    """

    kind: ClassVar[str] = "sample"
    revision: ClassVar[int] = 5

    problems: ProblemSet
    model: Model
    trained: TrainingStage | None = None
    policy: PolicyChoice
    proxies: dict[str, Model] = Field(default_factory=dict)
    gradients: dict[str, GradientStage] = Field(default_factory=dict)
    sampling: Generation
    seed: int
    draw: int = 0

    @property
    def defense(self) -> str:
        """The policy, as one text."""
        return self.policy.label

    @property
    def count(self) -> int:
        """Number of problems."""
        return self.problems.size

    @property
    def exposes(self) -> bool:
        """True if log-probabilities are recorded with the traces."""
        return self.sampling.top_logprobs > 0

    @property
    def label(self) -> str:
        """The policy or the student, and the problems."""
        if self.trained is not None:
            return f"evaluate {self.trained.label.removeprefix('distill ')} {self.problems.label}"
        draw = f" draw={self.draw}" if self.draw else ""
        exposed = " with log-probabilities" if self.sampling.top_logprobs else ""
        what = f"{self.policy.label} of {self.model.spec.name} {self.problems.label}"
        return f"sample {what} seed={self.seed}{draw}{exposed}"

    def run(self, context: StageContext) -> None:
        """Write the traces."""
        problems = self.asked(context)
        task = self.problems.task.task
        recorded = context.out / CALIBRATION
        engine = make_engine(
            self.trained or self.model, self.policy, self.proxies, self.gradients, self.sampling, context,
            Calibration.load(recorded) if recorded.exists() else None,
        )  # fmt: skip
        traces: list[Trace] = []
        for path, shard in self._shards(context.out, problems):
            if not path.exists():
                done = count(len(traces) + 1)
                write_traces(path, self._sample(engine, task, shard, partial(_tick, context, done, len(problems))))
            traces += read_traces(path)
            if isinstance(engine, Engine) and engine.calibration is not None:
                engine.calibration.save(recorded)
            context.progress(len(traces), len(problems))
        write_traces(context.out / TRACES, traces)
        for path, _ in self._shards(context.out, problems):
            path.unlink()

    def asked(self, context: StageContext) -> list[Problem]:
        """Return the problems that are asked."""
        return self.problems.load()

    def _shards(self, out: Path, problems: list[Problem]) -> Iterator[tuple[Path, list[Problem]]]:
        size = BATCHES_PER_SHARD * self.sampling.batch_size
        for start in range(0, len(problems), size):
            yield out / f"shard-{start // size:05d}.parquet", problems[start : start + size]

    def _sample(
        self, engine: Sampler, task: Task, problems: list[Problem], on_sample: Callable[[Sample], None]
    ) -> list[Trace]:
        requests = [Request(p.id, task.messages(p), task.forced_answer) for p in problems]
        seed = derive_seed(self.seed, self.draw, "draw") if self.draw else self.seed
        samples = engine.generate(requests, self.sampling.params(), seed, on_sample=on_sample)
        return [self._trace(task, p, r, s) for p, r, s in zip(problems, requests, samples, strict=True)]

    def _trace(self, task: Task, problem: Problem, request: Request, sample: Sample) -> Trace:
        grade = task.grade(sample.completion, problem)
        proxied = sample.logprob_proxy
        return Trace(
            problem_id=problem.id,
            split=self.problems.name,
            policy=self.policy.name,
            strength=self.policy.options,
            seed=self.seed,
            messages=[*request.messages, {"role": "assistant", "content": sample.completion}],
            finish_reason=sample.finish_reason,
            extracted=grade.extracted,
            correct=grade.correct,
            prompt_tokens=sample.prompt_tokens,
            sampled_tokens=len(sample.token_ids),
            forced_tokens=sample.forced_tokens,
            # vLLM does not say which tokens a draft had proposed.
            accepted_tokens=sample.accepted if proxied and self.sampling.engine is None else None,
            kl=sum(sample.kl) if sample.kl else None,
            kl_reverse=sum(sample.kl_reverse) if sample.kl_reverse else None,
            logprob_released=sum(sample.logprob_released),
            logprob_reference=sum(sample.logprob_reference),
            logprob_proxy=_known_sum(proxied),
            v_gap=_known_sum(sample.v_gap),
            token_ids=sample.token_ids,
            token_kl=sample.kl or None,
            token_kl_reverse=sample.kl_reverse or None,
            token_logprob_released=sample.logprob_released,
            token_logprob_reference=sample.logprob_reference,
            token_logprob_proxy=proxied or None,
            token_v_gap=sample.v_gap or None,
            token_top_ids=sample.top_ids or None,
            token_top_logprobs=sample.top_logprobs or None,
        )


def _known_sum(values: list[float]) -> float | None:
    """The sum over tokens that the proxy shares, or None where it shares none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) if known else None


def _tick(context: StageContext, done: Iterator[int], total: int, _: Sample) -> None:
    context.progress(next(done), total)
