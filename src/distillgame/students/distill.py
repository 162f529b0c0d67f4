"""Train one student on released traces."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import TrainingArguments

from distillgame.errors import DistillgameError
from distillgame.models import Example, LanguageModel, training_example
from distillgame.records import ReleasedTrace
from distillgame.students.base import Student
from distillgame.students.settings import TrainingSettings
from distillgame.students.trainer import DistillTrainer, Progress


@dataclass(frozen=True)
class TrainingReport:
    """What a training did.

    Attributes:
        traces: Number of traces trained on.
        cut: Number of them that were longer than ``max_length``.
        steps: Optimiser steps.
        loss: Mean over steps of the weighted negative log-likelihood a token, in nats.
        rho: Mean over steps of the KL of the minibatch weights to uniform, in nats (see DESIGN: it also reweights
            prompts).
    """

    traces: int
    cut: int
    steps: int
    loss: float
    rho: float

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def encode(model: LanguageModel, traces: Sequence[ReleasedTrace], max_length: int) -> tuple[list[Example], int]:
    """Encode released text for a student; return the examples and how many were cut to ``max_length``.

    Traces of which nothing would be left to learn are dropped.
    """
    examples, cut = [], 0
    for trace in traces:
        example = training_example(model.tokenizer, trace.messages, trace.finish_reason == "stop")
        room = max_length - len(example.prompt)
        cut += len(example.target) > room
        if example.target and room > 0:
            examples.append(Example(example.prompt, example.target[:room]))
    return examples, cut


def distill(
    model: LanguageModel,
    student: Student,
    traces: Sequence[ReleasedTrace],
    objective: Sequence[ReleasedTrace],
    settings: TrainingSettings,
    seed: int,
    checkpoints: Path | None = None,
    progress: Progress | None = None,
) -> tuple[LanguageModel, TrainingReport]:
    """Train ``model`` in place on ``traces`` as ``student`` weighs them.

    Args:
        model: The attacker's base model, in float32.
        student: How traces are weighed.
        traces: Released text: this is all of the teacher that a student sees.
        objective: The attacker's validation examples; may be empty if the student needs no values.
        settings: Training settings.
        seed: Seed of data order and adapter initialisation.
        checkpoints: Folder for checkpoints; a training that was killed goes on from the last one there.
        progress: Called after every step.

    Returns:
        The trained model (with adapters, if settings say so) and a report.

    Raises:
        DistillgameError: If there is nothing to train on, or no objective although the student needs one.
    """
    examples, cut = encode(model, traces, settings.max_length)
    if not examples:
        raise DistillgameError(
            "there is no trace to train on: every completion is empty, or longer prompts fill max_length"
        )
    targets, _ = encode(model, objective, settings.max_length)
    if student.needs_values and not targets:
        raise DistillgameError(f"student '{student.name}' needs validation examples, and there are none")
    if student.needs_values and any(p.dtype != torch.float32 for p in model.model.parameters()):
        raise DistillgameError(
            f"student '{student.name}': values are small differences that half precision rounds away; "
            f"load '{model.source}' with dtype float32"
        )
    torch.manual_seed(seed)
    network = model.model if settings.lora is None else _with_adapters(model, settings)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = _arguments(settings, seed, checkpoints or Path(scratch), len(examples), model)
        trainer = DistillTrainer(
            network, student, examples, targets, settings, arguments, model.tokenizer.pad_token_id, progress
        )
        trainer.resume(checkpoints)
    loss, rho = (sum(values) / len(values) for values in (trainer.losses, trainer.divergences))
    report = TrainingReport(len(examples), cut, trainer.state.global_step, loss, rho)
    return LanguageModel(network.eval(), model.tokenizer, model.source), report


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
    # Without this, the adapter's file would name the path of this machine's checkpoint.
    adapted.peft_config["default"].base_model_name_or_path = model.source
    network: torch.nn.Module = adapted
    return network


def _arguments(
    settings: TrainingSettings, seed: int, folder: Path, examples: int, model: LanguageModel
) -> TrainingArguments:
    passes = -(-examples // settings.batch_size)
    steps = settings.epochs * -(-passes // settings.accumulate)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule if settings.warmup == 0 else _with_warmup(settings.schedule),
        warmup_steps=round(settings.warmup * steps),
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
    )
    # On a machine with several GPUs the Trainer would split minibatches over them and enlarge them.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _with_warmup(schedule: str) -> str:
    return "constant_with_warmup" if schedule == "constant" else schedule
