"""One stage at a time: sample a split, train a student on any trace file, evaluate any model."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from distillgame.arena.config.game import GameConfig
from distillgame.arena.plan.planner import STANDARD, Planner
from distillgame.arena.play import pick_device, run_stages
from distillgame.arena.results.scores import Answers
from distillgame.arena.run.store import Store, full_disk_is_an_error, lock, write_text
from distillgame.arena.stages import TRACES, Model, SampleStage, library_versions
from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec, load_model
from distillgame.records import ReleasedTrace, read_released, read_traces, read_verdicts
from distillgame.students import Student, Supplies, TrainingReport, distill, make_student
from distillgame.tasks import SPLITS

CLAIM = "training.key"
"""A file in the folder of an unfinished training that says which one it is."""


@dataclass(frozen=True)
class SampleSummary:
    """What a sampled split looks like.

    Attributes:
        path: The trace file.
        accuracy: Share of right answers.
        standard_error: Of the accuracy, over problems.
        n: Number of problems.
        kl_per_trace: Mean summed KL to the reference, in nats; None for greedy sampling.
        finish_rate: Share of completions that ended by themselves.
    """

    path: Path
    accuracy: float
    standard_error: float
    n: int
    kl_per_trace: float | None
    finish_rate: float

    def __str__(self) -> str:
        kl = "" if self.kl_per_trace is None else f", KL {self.kl_per_trace:.3f} nats a trace"
        return (
            f"accuracy {100 * self.accuracy:.1f} ± {100 * self.standard_error:.1f} % on {self.n} problems, "
            f"{100 * self.finish_rate:.0f} % finished{kl}"
        )


def sample_split(
    config: GameConfig, policy: NamedChoice, split: str, seed: int, out: Path, progress: bool = True
) -> SampleSummary:
    """Sample a split from the teacher under a policy, as a game with the same configuration would.

    Raises:
        DistillgameError: If an input is bad.
    """
    _require_split(config, split)
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
        policy=STANDARD,
        sampling=config.evaluation,
        seed=config.seeds[0],
    )
    return _run(stage, config, out, progress)


def distill_file(
    config: GameConfig,
    traces: Path,
    student: NamedChoice,
    seed: int,
    out: Path,
    objective_traces: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingReport:
    """Train a student on a trace file from any source and write it to ``out/model``.

    Args:
        config: Says which base model, which trainer settings and which validation objective.
        traces: A Parquet or JSON Lines file with a ``messages`` column, and ``finish_reason`` where known.
        student: The student and its settings.
        seed: Seed of the training.
        out: A folder that does not exist yet.
        objective_traces: Traces for the objectives ``released`` and ``clean``; those with a right answer are used.
        progress: Called after every step.

    Raises:
        DistillgameError: If an input is bad, or ``out`` exists.
    """
    if out.exists():
        raise DistillgameError(f"{out}: exists already; choose another folder")
    made = make_student(student.name, student.options)
    released = read_released(traces)
    supplies = _supplies(config, made, traces, released)
    objective = _objective(config, objective_traces) if made.needs_objective else []
    base = Model.of(config.student)
    groups = (released, objective, supplies.references)
    examples = [[[vars(trace) for trace in group] for group in groups], list(supplies.verdicts)]
    known = [base.hash, config.task.model_dump(), *(Planner(config).proxy(name).hash for name in config.all_proxies)]
    description = [known, student.model_dump(), config.training.model_dump(), seed, examples, library_versions()]
    # A killed training goes on from the checkpoints in here, if the settings ask for any.
    partial = out.with_name(out.name + ".partial")
    with full_disk_is_an_error(out):
        _claim(partial, hashlib.sha256(json.dumps(description).encode()).hexdigest())
        model, report = distill(
            load_model(base.spec.in_full_precision(), pick_device(config)),
            made,
            supplies,
            objective,
            config.training,
            seed,
            checkpoints=partial / "checkpoints" if config.training.checkpoint_every else None,
            progress=progress,
        )
        model.model.save_pretrained(partial / "model")
        model.tokenizer.save_pretrained(partial / "model")
        report.write(partial / "training.json")
        shutil.rmtree(partial / "checkpoints", ignore_errors=True)
        (partial / CLAIM).unlink()
        os.replace(partial, out)
    return report


def _supplies(config: GameConfig, student: Student, path: Path, traces: list[ReleasedTrace]) -> Supplies:
    """What a file of traces and a configuration can give a student."""
    needs, verdicts = student.needs, read_verdicts(path)
    lacking = {
        "several draws of a prompt": needs.draws > 1,
        "own completions of the task's problems": needs.own_samples > 0,
        "rewritings (`distillgame attack` makes them)": needs.rewrites > 0,
        "log-probabilities": needs.logprobs,
        "a column 'correct'": needs.verdicts and verdicts is None,
        "a 'proxy' in the configuration": needs.proxy and not config.all_proxies,
    }
    for what, is_lacking in lacking.items():
        if is_lacking:
            raise DistillgameError(f"student '{student.name}' needs {what}, which {path} does not give")
    planner = Planner(config)
    proxy = next(iter(config.all_proxies), None) if needs.proxy else None
    return Supplies(
        traces=traces,
        verdicts=verdicts or (),
        references=planner.references().reference_solutions() if needs.references else (),
        proxy=None if proxy is None else planner.proxy(proxy).load(pick_device(config)),
        final_answer=config.make_task().final_answer,
    )


def _claim(partial: Path, key: str) -> None:
    """Make the folder of an unfinished training, or enter that of the very same one.

    Raises:
        DistillgameError: If it holds checkpoints of another training; without any there is nothing to lose.
    """
    claim = partial / CLAIM
    if (partial / "checkpoints").exists() and (not claim.is_file() or claim.read_text() != key):
        raise DistillgameError(f"{partial}: holds another unfinished training; delete it or choose another --out")
    partial.mkdir(parents=True, exist_ok=True)
    write_text(claim, key)


def _objective(config: GameConfig, traces: Path | None) -> list[ReleasedTrace]:
    if config.attacker.objective == "reference":
        return Planner(config).references().reference_solutions()
    if traces is None:
        raise DistillgameError(f"objective '{config.attacker.objective}' needs --objective-traces: a trace file")
    return read_released(traces, correct_only=True)


def _run(stage: SampleStage, config: GameConfig, out: Path, progress: bool) -> SampleSummary:
    with lock(out):
        store = Store(out, pick_device(config))
        run_stages([stage], store, config, progress)
        path = store.folder(stage) / TRACES
    traces = read_traces(path)
    summary = Answers([traces]).summary([stage.seed])
    kl = [trace.kl for trace in traces if trace.kl is not None]
    return SampleSummary(
        path=path,
        accuracy=summary["accuracy"],
        standard_error=summary["standard_error"],
        n=summary["n"],
        kl_per_trace=sum(kl) / len(kl) if kl else None,
        finish_rate=summary["finish_rate"],
    )


def _require_split(config: GameConfig, split: str) -> None:
    if split not in SPLITS:
        raise DistillgameError(f"unknown split '{split}': choose one of {', '.join(SPLITS)}")
    if config.splits.get(split, 0) < 2:
        raise DistillgameError(f"split '{split}' has no problems: set splits.{split}")
