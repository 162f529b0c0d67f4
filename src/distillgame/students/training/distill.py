"""Train one student on released traces."""

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students.base import Student
from distillgame.students.lessons import Desk, Lesson, Phase, encode
from distillgame.students.supplies import Supplies
from distillgame.students.training.environment import own_settings
from distillgame.students.training.settings import TrainingSettings
from distillgame.students.training.sharing import everywhere_the_first

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from distillgame.students.training.trainer import DistillTrainer, Progress


@dataclass(frozen=True)
class TrainingReport:
    """The outcome of a training.

    Attributes:
        traces: Number of traces (and public solutions) trained on, of all phases.
        cut: Number of those that were longer than ``max_length``.
        steps: Optimiser steps.
        loss: Mean over steps of the weighted negative log-likelihood per token, in nats.
        rho: Mean over steps of the KL of the minibatch weights to uniform, in nats. A minibatch has many prompts, so
            that, unlike in the paper's game, this also counts how prompts are reweighted.
        effective_share: Mean over steps of the effective sample size, as a share of the step's traces.
    """

    traces: int
    cut: int
    steps: int
    loss: float
    rho: float
    effective_share: float

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


NOTHING = TrainingReport(traces=0, cut=0, steps=0, loss=0.0, rho=0.0, effective_share=1.0)
"""The report of a student that selected no trace at all."""


def open_desk(
    model: LanguageModel, supplies: Supplies, objective: Sequence[ReleasedTrace], settings: TrainingSettings
) -> Desk:
    """Return the desk at which a student prepares a training with these settings.

    Args:
        model: The student's base model.
        supplies: Everything it is given.
        objective: Its validation examples; those of which nothing would be left are dropped.
        settings: The settings of the training to come.
    """
    targets = [lesson for trace in objective if (lesson := encode(model, trace, settings.max_length)) is not None]
    share = settings.learning_rate / (settings.batch_size * settings.accumulate)
    return Desk(model, supplies, targets, settings.max_length, settings.batch_size, settings.value_step, share)


def distill(
    model: LanguageModel,
    student: Student,
    supplies: Supplies,
    objective: Sequence[ReleasedTrace],
    settings: TrainingSettings,
    seed: int,
    checkpoints: Path | None = None,
    progress: "Progress | None" = None,
) -> tuple[LanguageModel, TrainingReport]:
    """Train ``model`` in place on released traces as ``student`` selects, rewrites and weighs them.

    Args:
        model: The attacker's base model, in float32.
        student: Selects, rewrites and weighs the traces.
        supplies: Released text, which is all that most students see of the teacher, and whatever else the student
            asked for.
        objective: The attacker's validation examples; may be empty if the student needs none.
        settings: Training settings.
        seed: Seed of data order and adapter initialisation.
        checkpoints: Folder for checkpoints; a killed training continues from the last one there.
        progress: Called after every step.

    Returns:
        The trained model (with adapters if the settings say so) and a report.

    Raises:
        DistillgameError: If there is nothing to train on, or no objective although the student needs one.
    """
    torch.manual_seed(seed)
    desk = open_desk(model, supplies, objective, settings)
    targets = desk.objective
    if student.needs_objective or student.needs_values:
        _require_values(model, student, targets)
    phases = everywhere_the_first([phase for phase in student.phases(desk) if phase.lessons])
    if not phases and desk.lessons(supplies.traces):
        # A student that finds nothing worth learning keeps its base model.
        return LanguageModel(model.model.eval(), model.tokenizer, model.source), NOTHING
    # The desk may hold tensors as large as the model.
    del desk
    if not phases:
        raise DistillgameError(
            "there is no trace to train on: every completion is empty, or longer prompts fill max_length"
        )
    torch.manual_seed(seed)
    network = model.model if settings.lora is None else _with_adapters(model, settings)
    trained = LanguageModel(network, model.tokenizer, model.source)
    trainers = _train(trained, student, phases, targets, settings, seed, checkpoints, progress)
    return replace(trained, model=network.eval()), _report(phases, trainers)


def _train(
    model: LanguageModel,
    student: Student,
    phases: Sequence[Phase],
    targets: Sequence[Lesson],
    settings: TrainingSettings,
    seed: int,
    checkpoints: Path | None,
    progress: "Progress | None",
) -> "list[DistillTrainer]":
    """Train in place, phase by phase, and return the trainers.

    A phase that a killed training had finished goes on from its own last checkpoint, and ends with the same weights.
    """
    # It imports the Hugging Face Trainer, which takes seconds.
    from distillgame.students.training.trainer import DistillTrainer

    pad = model.tokenizer.pad_token_id
    steps = [_steps(settings, len(phase.lessons)) for phase in phases]
    trainers = []
    with tempfile.TemporaryDirectory() as scratch, own_settings():
        for place, phase in enumerate(phases):
            folder = None if checkpoints is None else _folder(checkpoints, place)
            own = settings.model_copy(update={"learning_rate": phase.rate * settings.learning_rate})
            arguments = _arguments(own, seed, folder or Path(scratch), len(phase.lessons), model)
            told = progress and _shifted(progress, sum(steps[:place]), sum(steps))
            trainer = DistillTrainer(model.model, student, phase.lessons, targets, own, arguments, pad, told)
            trainer.resume(folder)
            trainers.append(trainer)
    return trainers


def _folder(checkpoints: Path, place: int) -> Path:
    """Return a phase's folder of checkpoints; the first's is the training's own."""
    return checkpoints if place == 0 else checkpoints / f"phase-{place}"


def _shifted(progress: "Progress", before: int, total: int) -> "Progress":
    """Return a report of a phase's steps as steps of the whole training."""
    return lambda done, _: progress(before + done, total)


def _report(phases: Sequence[Phase], trainers: "Sequence[DistillTrainer]") -> TrainingReport:
    columns = zip(*((t.losses, t.divergences, t.effective_shares) for t in trainers), strict=True)
    joined = [[value for part in column for value in part] for column in columns]
    means = (sum(values) / len(values) for values in joined)
    lessons = [lesson for phase in phases for lesson in phase.lessons]
    steps = sum(trainer.state.global_step for trainer in trainers)
    return TrainingReport(len(lessons), sum(lesson.cut for lesson in lessons), steps, *means)


def _require_values(model: LanguageModel, student: Student, targets: Sequence[Lesson]) -> None:
    if not targets:
        raise DistillgameError(f"student '{student.name}' needs validation examples, and there are none")
    if any(p.dtype != torch.float32 for p in model.model.parameters()):
        raise DistillgameError(
            f"student '{student.name}': values are small differences that half precision rounds away; "
            f"load '{model.source}' with dtype float32"
        )


def _with_adapters(model: LanguageModel, settings: TrainingSettings) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    assert settings.lora is not None
    if model.source.startswith("init:"):
        raise DistillgameError(
            f"model '{model.source}': adapters on random weights learn nothing; set training.lora to null"
        )
    config = LoraConfig(
        r=settings.lora.rank,
        lora_alpha=settings.lora.alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model.model, config)
    # Otherwise the adapter's file would contain the path of a checkpoint on this machine.
    adapted.peft_config["default"].base_model_name_or_path = model.source
    network: torch.nn.Module = adapted
    return network


def _arguments(
    settings: TrainingSettings, seed: int, folder: Path, examples: int, model: LanguageModel
) -> "TrainingArguments":
    from transformers import TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        num_train_epochs=_epochs(settings, examples),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule if settings.warmup == 0 else _with_warmup(settings.schedule),
        warmup_steps=round(settings.warmup * _steps(settings, examples)),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=seed,
        data_seed=seed,
        use_cpu=model.device.type == "cpu",
        save_strategy="steps" if settings.checkpoint_every else "no",
        save_steps=settings.checkpoint_every or 500,
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=model.device.type != "cpu",
        ddp_find_unused_parameters=False,
        # They never change. Broadcasting them at every pass would wait for ever where one process makes one more.
        ddp_broadcast_buffers=False,
    )
    # On a machine with several GPUs the Trainer would split minibatches over them and enlarge them.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _epochs(settings: TrainingSettings, examples: int) -> int:
    return max(settings.epochs, math.ceil(settings.min_steps / _steps_per_epoch(settings, examples)))


def _steps(settings: TrainingSettings, examples: int) -> int:
    return _epochs(settings, examples) * _steps_per_epoch(settings, examples)


def _steps_per_epoch(settings: TrainingSettings, examples: int) -> int:
    return math.ceil(math.ceil(examples / settings.batch_size) / settings.accumulate)


def _with_warmup(schedule: str) -> str:
    return "constant_with_warmup" if schedule == "constant" else schedule
