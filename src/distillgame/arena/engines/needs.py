"""The part of a node that a stage takes while it runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distillgame.arena.config import Compute, Generation
from distillgame.arena.stages import STAGES, Model, Stage, TrainingStage
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec, count_parameters
from distillgame.students import TrainingSettings

PROCESS_BYTES = 1.5e9
"""Memory of a process that has imported PyTorch and transformers, with room for a batch of a small model."""

WEIGHT_BYTES = 4
"""Bytes per parameter of a network that is read, in float32."""

TRAINING_BYTES = 16
"""Bytes per parameter of a network that is trained: weight, gradient and AdamW's two moments."""


@dataclass(frozen=True)
class Needs:
    """The part of a node that a stage takes.

    Attributes:
        cpus: Number of processors, or None for all of a node.
        gpus: Number of GPUs.
        memory: Bytes of memory, of the node or of its GPUs, whichever are computed on.
    """

    cpus: float | None
    gpus: float
    memory: float

    def __str__(self) -> str:
        cpus = "all" if self.cpus is None else f"{self.cpus:g}"
        return f"{cpus} CPUs, {self.gpus:g} GPUs and {self.memory / 1e9:.3g} GB of memory"


def require_kinds(compute: Compute) -> None:
    """Check that resources are given for kinds of stage that there are.

    Raises:
        DistillgameError: If one is unknown.
    """
    for kind in compute.resources:
        if kind not in STAGES:
            raise DistillgameError(
                f"compute.resources: unknown kind of stage '{kind}' (there are {', '.join(sorted(STAGES))})"
            )


def needs(stage: Stage, compute: Compute, device: str) -> Needs:
    """Return what a stage takes: estimated, or as the configuration says.

    Memory counts weights, gradients and optimiser. A network whose size nothing tells counts as none.

    Args:
        stage: The stage.
        compute: The configuration.
        device: Where networks run, ``cpu`` or ``cuda``.
    """
    asked = compute.resources.get(stage.kind)
    networks = list(_networks(stage))
    split = max(
        (value.engine.tensor_parallel_size for value in _generations(stage) if value.engine is not None), default=1
    )
    # A stage that measures time, and vLLM on processors of which it takes all, get a node to themselves.
    whole = stage.exclusive or (stage.uses_vllm and device == "cpu")
    gpus = float(max(split, stage.devices) if networks and device == "cuda" else 0)
    memory = PROCESS_BYTES * stage.devices + stage.devices * sum(
        (count_parameters(spec) or 0) * each for spec, each in networks
    )
    if asked is None:
        return Needs(None if whole else float(stage.devices), gpus, memory)
    return Needs(
        cpus=asked.cpus if asked.cpus is not None else None if whole else float(stage.devices),
        gpus=asked.gpus if asked.gpus is not None else gpus,
        memory=asked.memory if asked.memory is not None else memory,
    )


def _generations(stage: Stage) -> list[Generation]:
    return [value for value in dict(stage).values() if isinstance(value, Generation)]


def _networks(stage: Stage) -> Iterator[tuple[ModelSpec, int]]:
    """Yield the networks that a stage loads, each with the bytes that it takes per parameter."""
    trained = stage.base_spec.source if isinstance(stage, TrainingStage) else None
    settings = dict(stage).get("training")
    whole = isinstance(settings, TrainingSettings) and settings.lora is None
    for value in _values(stage):
        if isinstance(value, Model):
            yield value.spec, TRAINING_BYTES if whole and value.spec.source == trained else WEIGHT_BYTES
        elif isinstance(value, TrainingStage):
            yield value.base_spec, WEIGHT_BYTES


def _values(stage: Stage) -> Iterator[Any]:
    for value in dict(stage).values():
        if isinstance(value, Mapping):
            yield from value.values()
        elif isinstance(value, tuple):
            yield from value
        else:
            yield value
