"""One stage at a time: sample a split, train a student on any trace file, evaluate any model."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from distillgame.arena.config import GameConfig
from distillgame.arena.plan import STANDARD, GivenTarget, Planner, lacking
from distillgame.arena.precision import settled
from distillgame.arena.results import Scores
from distillgame.arena.run import Run
from distillgame.arena.stages import TRACES, GivenStage, Model, SampleStage, Stage, read_report
from distillgame.arena.store import MANIFEST
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec
from distillgame.policies import MarkPolicy, PolicyChoice
from distillgame.records import read_traces
from distillgame.students import StudentChoice, TrainingReport
from distillgame.tasks import SPLITS


@dataclass(frozen=True)
class SampleSummary:
    """Accuracy and cost of a sampled split.

    Attributes:
        path: The trace file.
        accuracy: Share of right answers.
        standard_error: Of the accuracy, over problems.
        n: Number of problems.
        kl_per_trace: Mean summed KL to the reference, in nats; None for greedy sampling.
        finish_rate: Share of completions that ended by themselves.
        mark: Whose mark it carries, in words; empty without one.
    """

    path: Path
    accuracy: float
    standard_error: float
    n: int
    kl_per_trace: float | None
    finish_rate: float
    mark: str = ""

    def __str__(self) -> str:
        kl = "" if self.kl_per_trace is None else f", KL {self.kl_per_trace:.3f} nats per trace"
        return (
            f"accuracy {100 * self.accuracy:.1f} ± {100 * self.standard_error:.1f} % on {self.n} problems, "
            f"{100 * self.finish_rate:.0f} % finished{kl}{self.mark}"
        )


def sample_split(
    config: GameConfig, policy: PolicyChoice, split: str, seed: int, out: Path, progress: bool = True
) -> SampleSummary:
    """Sample a split from the teacher under a policy, as a game with the same configuration would.

    Raises:
        DistillgameError: If an input is bad.
    """
    _require_split(config, split)
    config = settled(config, out, progress)
    return _run(Planner(config).sample(policy, split, seed), config, out, progress)


def evaluate_model(config: GameConfig, model: ModelSpec, split: str, out: Path, progress: bool = True) -> SampleSummary:
    """Let any model answer a split, the way students are evaluated.

    Raises:
        DistillgameError: If an input is bad.
    """
    _require_split(config, split)
    stage = SampleStage(
        problems=Planner(config).problems(split),
        model=Model.of(model),
        policy=STANDARD.without_form,
        sampling=config.evaluation,
        seed=config.seeds[0],
    )
    return _run(stage, config, out, progress)


def distill_file(
    config: GameConfig,
    traces: Path,
    choice: StudentChoice,
    seed: int,
    out: Path,
    objective_traces: Path | None = None,
    progress: bool = True,
) -> TrainingReport:
    """Train a student on a trace file from any source and write it to ``out/model``.

    Args:
        config: Says which base model, which trainer settings and which validation objective.
        traces: A Parquet, JSON Lines or JSON file with a ``messages`` column, and ``finish_reason`` where known.
        choice: The student.
        seed: Seed of the training.
        out: A folder that does not exist yet. Until the training is finished its stages lie in ``out.partial``, where a
            killed one goes on.
        objective_traces: Traces for the objectives ``released`` and ``clean``; those with a right answer are used.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If an input is bad, or ``out`` exists.
    """
    if out.exists():
        raise DistillgameError(f"{out}: exists already; choose another folder")
    target = GivenTarget.of(GivenStage.of(traces))
    lacks = lacking(choice, target, target.stage.count, config, shares_vocabulary=False)
    if lacks is not None:
        raise DistillgameError(f"student '{choice.name}' needs {lacks}, which {traces} does not give")
    planner = Planner(config)
    given = _objective(planner, choice, objective_traces)
    stage = planner.distill(target, choice, seed, objective_traces=given)
    partial = out.with_name(out.name + ".partial")
    with Run(partial, config, progress) as run:
        _require_own(run, stage)
        run.compute([stage])
        report = read_report(run.folder(stage))
        (run.folder(stage) / MANIFEST).unlink()
        os.replace(run.folder(stage), out)
    shutil.rmtree(partial)
    return report


def _objective(planner: Planner, choice: StudentChoice, traces: Path | None) -> GivenStage | None:
    if not choice.student.needs_objective or planner.objective(choice.student) == "reference":
        return None
    if traces is None:
        objective = planner.objective(choice.student)
        raise DistillgameError(f"objective '{objective}' needs --objective-traces: a trace file")
    stage = GivenStage.of(traces)
    if not stage.graded:
        raise DistillgameError(f"{traces}: needs a column 'correct': the objective uses traces with a right answer")
    return stage


def _require_own(run: Run, stage: Stage) -> None:
    """Check that no other training is unfinished in the folder, which goes once this one is finished.

    Raises:
        DistillgameError: If there are checkpoints of another one.
    """
    own = run.store.path(stage).with_name(run.store.path(stage).name + ".partial")
    if any(path.parent != own for path in run.root.glob("stages/*/checkpoints")):
        raise DistillgameError(f"{run.root}: holds another unfinished training; delete it or choose another --out")


def _run(stage: SampleStage, config: GameConfig, out: Path, progress: bool) -> SampleSummary:
    with Run(out, config, progress) as run:
        run.compute([stage])
        path = run.folder(stage) / TRACES
    traces, policy = read_traces(path), stage.policy.policy
    summary = Scores([traces]).summary([stage.seed])
    kl = [trace.kl for trace in traces if trace.kl is not None]
    return SampleSummary(
        path=path,
        accuracy=summary["accuracy"],
        standard_error=summary["standard_error"],
        n=summary["n"],
        kl_per_trace=sum(kl) / len(kl) if kl else None,
        finish_rate=summary["finish_rate"],
        mark=f", marked for '{policy.owner}' in epoch {policy.epoch}" if isinstance(policy, MarkPolicy) else "",
    )


def _require_split(config: GameConfig, split: str) -> None:
    if split not in SPLITS:
        raise DistillgameError(f"unknown split '{split}': choose one of {', '.join(SPLITS)}")
    if config.splits.get(split, 0) < 2:
        raise DistillgameError(f"split '{split}' has no problems: set splits.{split}")
