"""The settings of training, the same for all students."""

from typing import Literal

from pydantic import Field, model_validator

from distillgame.strict import Strict


class LoraSettings(Strict):
    """Low-rank adapters on all linear layers (PEFT)."""

    rank: int = Field(128, ge=1)
    alpha: float = Field(128, gt=0)


class TrainingSettings(Strict):
    """Settings of the trainer.

    Attributes:
        epochs: Passes over the traces.
        min_steps: Smallest number of optimiser steps; a student with fewer traces makes more passes over them.
        batch_size: Traces in a forward pass.
        accumulate: Forward passes in an optimiser step. Weights are normalised over the whole step.
        learning_rate: Peak learning rate of AdamW.
        schedule: Learning-rate schedule after warm-up.
        warmup: Share of the steps in which the rate rises linearly.
        weight_decay: AdamW's weight decay.
        max_grad_norm: Gradients are clipped to this norm.
        max_length: Most tokens of prompt and completion together; the rest is cut.
        lora: Adapter settings; null trains all parameters.
        objective_batch: Examples of the validation objective per gradient g; they rotate.
        objective_every: Optimiser steps between two gradients g.
        value_step: Finite-difference step along the unit-norm g.
        checkpoint_every: Optimiser steps between checkpoints, from which a killed training resumes; 0 writes none.
        devices: Processes, each with a GPU of its own where there are GPUs, that share every forward pass; the result
            is that of one, but for rounding and for the units that dropout drops.
    """

    epochs: int = Field(3, ge=1)
    min_steps: int = Field(0, ge=0)
    batch_size: int = Field(48, ge=1)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    warmup: float = Field(0.03, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    max_length: int = Field(2048, ge=2)
    lora: LoraSettings | None = None
    objective_batch: int = Field(48, ge=1)
    objective_every: int = Field(10, ge=1)
    value_step: float = Field(1e-3, gt=0)
    checkpoint_every: int = Field(0, ge=0)
    # One is left out, so that trainings from before it was there keep their keys.
    devices: int = Field(1, ge=1, exclude_if=lambda value: value == 1)

    @model_validator(mode="after")
    def _have_work_for_all(self) -> "TrainingSettings":
        if self.devices > self.batch_size:
            raise ValueError(f"devices: {self.devices} processes cannot share a batch_size of {self.batch_size}")
        return self
