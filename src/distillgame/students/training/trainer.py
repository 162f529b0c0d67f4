"""The one trainer: weighted maximum likelihood on released traces, on top of the Hugging Face Trainer."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import softplus
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from distillgame.seeding import derive_seed
from distillgame.students.base import Student
from distillgame.students.lessons import Lesson, collate_lessons
from distillgame.students.training.settings import TrainingSettings
from distillgame.students.training.sharing import Whole, own_part, processes
from distillgame.students.training.weight_group import WeightGroup
from distillgame.values import (
    Direction,
    mean_logprob,
    objective_gradient,
    trainable,
    v_grad_difference,
)

Progress = Callable[[int, int], None]
"""Called with the number of steps done and the total number of steps."""

PROGRESS = "distillgame.pt"
"""The file that a checkpoint has in addition to those of the Hugging Face Trainer."""


class DistillTrainer(Trainer):  # type: ignore[misc]
    """Minimises the sum over a minibatch of w_i · (-mean log-likelihood of trace i), with w from the student.

    Where lessons have rejected targets, the loss of the student's preference comes on top, with the same weights.

    The weights sum to one over the traces of an optimiser step, also when a step accumulates several forward passes:
    unnormalised terms are accumulated and the gradient is divided at the end. A passive student runs the same code
    with equal weights. A student that weighs the whole set has weights with mean one over the set instead.

    Processes that train together make the same forward passes as one would, each with its own part of the lessons.
    Weights are computed from all of them, everywhere alike.

    Args:
        model: The student's network.
        student: The student, which weighs the traces.
        lessons: The training examples.
        objective: Lessons of its validation objective L; empty if the student needs no values.
        settings: Training settings.
        arguments: Arguments of the Hugging Face Trainer, made from the settings.
        pad_id: Padding token.
        progress: Called after every step.
    """

    def __init__(
        self,
        model: Any,
        student: Student,
        lessons: Sequence[Lesson],
        objective: Sequence[Lesson],
        settings: TrainingSettings,
        arguments: TrainingArguments,
        pad_id: int,
        progress: Progress | None = None,
    ):
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=list(lessons),
            data_collator=lambda lessons: collate_lessons(own_part(lessons), pad_id),
            callbacks=[_Report(progress)] if progress else [],
        )
        self.add_callback(_SaveProgress(self))
        # It would print a line after each training.
        self.remove_callback(PrinterCallback)
        # Tells the Trainer not to divide the loss by the number of accumulated batches.
        self.model_accepts_loss_kwargs = True
        self.student = student
        self.objective = list(objective)
        self.settings = settings
        self.pad_id = pad_id
        self.direction: Direction = {}
        self.losses: list[float] = []
        self.divergences: list[float] = []
        self.effective_shares: list[float] = []
        self._group = WeightGroup(student.whole_set)

    def resume(self, checkpoints: Path | None) -> None:
        """Train from the newest complete checkpoint in the folder, or from the start if there is none."""
        found = _complete_checkpoints(checkpoints) if checkpoints is not None else []
        if found:
            # Among several processes the CPU has a number, by which nothing can be loaded.
            device = "cpu" if self.args.device.type == "cpu" else self.args.device
            saved = torch.load(found[-1] / PROGRESS, map_location=device, weights_only=True)
            self.direction, self.losses = saved["direction"], saved["losses"]
            self.divergences, self.effective_shares = saved["divergences"], saved["effective_shares"]
        self.train(resume_from_checkpoint=str(found[-1]) if found else None)

    def get_train_dataloader(self) -> Any:
        """Return the forward passes; every process goes through all, and takes its own part when it collates."""
        loader = super().get_train_dataloader()
        if processes() > 1:
            shard = loader.batch_sampler
            shard.num_processes, shard.process_index, shard.even_batches = 1, 0, False
        return loader

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Run one forward and backward pass; the last of an optimiser step normalises the accumulated gradient."""
        due = self.state.global_step % self.settings.objective_every == 0 or not self.direction
        if self.student.needs_values and due and not self._group.started:
            self.direction = self._objective_gradient(model)
        part: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        self._group.loss += float(part)
        if not self.accelerator.sync_gradients:
            return torch.zeros_like(part)
        loss = float(self.accelerator.reduce(torch.tensor(self._group.loss, device=part.device), "sum"))
        # A student may give zero weight to everything in a step.
        total = self._group.total or 1.0
        # Gradients were averaged over processes.
        _scale_gradients(model, processes() / total)
        self.losses.append(loss / total)
        self.divergences.append(self._group.divergence())
        self.effective_shares.append(self._group.effective_share())
        self._group = WeightGroup(self.student.whole_set)
        return torch.full_like(part, loss / total)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return the unnormalised weighted loss of one forward pass."""
        devices = [self.args.device] if self.args.device.type == "cuda" else []
        before = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices)]
        logprobs = mean_logprob(model, inputs)
        values = logprobs.detach() if self.student.needs_likelihood else torch.zeros_like(logprobs.detach())
        if self.student.needs_values:
            step = self.settings.value_step
            plain = self.accelerator.unwrap_model(model)
            # If the model has dropout, both points of the difference must drop the same units.
            with torch.random.fork_rng(devices):
                torch.set_rng_state(before[0])
                for device, state in zip(devices, before[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
                values = v_grad_difference(plain, inputs, self.direction, step, at_theta=logprobs.detach())
        key = derive_seed(self.args.seed, self.state.global_step, self._group.passes, "weights")
        generator = torch.Generator().manual_seed(key)
        whole = Whole.of(values, inputs["log_weight"])
        log_weights = self.student.log_weights(whole.values, generator) + whole.log_weights
        weights, rescale = self._group.add(log_weights)
        if rescale != 1:
            _scale_gradients(model, rescale)
        return (whole.own(weights) * (self._regret(model, inputs, logprobs) - logprobs)).sum()

    def _regret(self, model: Any, inputs: Any, logprobs: torch.Tensor) -> torch.Tensor:
        """Return the loss of each lesson's preference, shape (B,); zero where nothing is rejected."""
        preference = self.student.preference
        if preference is None or "rejected_rows" not in inputs:
            return torch.zeros_like(logprobs)
        rows = inputs["rejected_rows"]
        batch = {name.removeprefix("rejected_"): part for name, part in inputs.items() if name.startswith("rejected_")}
        margins = logprobs[rows] - mean_logprob(model, batch)
        losses = preference.strength * softplus(-preference.beta * margins)
        return torch.zeros_like(logprobs).index_add(0, rows, losses)

    def _objective_gradient(self, model: Any) -> Direction:
        """Return the gradient g on the next few examples of the objective; the step number alone decides which."""
        size = min(self.settings.objective_batch, len(self.objective))
        first = (self.state.global_step // self.settings.objective_every) * size
        chosen = [self.objective[(first + i) % len(self.objective)] for i in range(size)]
        batches = [
            collate_lessons(chosen[i : i + self.settings.batch_size], self.pad_id, self.args.device)
            for i in range(0, size, self.settings.batch_size)
        ]
        plain = self.accelerator.unwrap_model(model)
        plain.eval()
        gradient = objective_gradient(plain, batches)
        plain.train()
        return gradient


class _SaveProgress(TrainerCallback):  # type: ignore[misc]
    """Saves with each checkpoint what the Trainer does not; the file's presence marks the checkpoint as complete."""

    def __init__(self, trainer: DistillTrainer):
        self.trainer = trainer

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        trainer = self.trainer
        if not args.should_save:
            return
        path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / PROGRESS
        partial = path.with_suffix(".partial")
        saved = {
            "direction": trainer.direction,
            "losses": trainer.losses,
            "divergences": trainer.divergences,
            "effective_shares": trainer.effective_shares,
        }
        torch.save(saved, partial)
        os.replace(partial, path)


class _Report(TrainerCallback):  # type: ignore[misc]
    def __init__(self, progress: Progress):
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.progress(state.global_step, state.max_steps)


def _complete_checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first; a kill may have cut others short."""
    found = [path for path in folder.glob("checkpoint-*") if (path / PROGRESS).is_file()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def _scale_gradients(model: Any, factor: float) -> None:
    for parameter in trainable(model).values():
        if parameter.grad is not None:
            parameter.grad.mul_(factor)
