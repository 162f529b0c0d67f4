"""What a stage is: a pure function of its fields and of the stages they refer to."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any, ClassVar

from distillgame.models import LanguageModel, ModelSpec, fingerprint, load_model, pinned
from distillgame.strict import Strict

Progress = Callable[[int, int], None]
"""Called with the amount of work done and the amount in all."""


LIBRARIES = (
    "distillgame", "torch", "transformers", "tokenizers", "accelerate", "peft", "gguf", "math-verify",
    "latex2sympy2_extended", "sympy", "reasoning-gym",
)  # fmt: skip
"""What sampling, training and grading rest on."""


@dataclass(frozen=True)
class StageContext:
    """What a running stage is given.

    Attributes:
        out: The folder it writes to. It may hold what an earlier, killed run of the same stage had finished.
        folder: Finds the folder of a finished input.
        device: Where networks run.
        progress: Reports how far it is.
    """

    out: Path
    folder: Callable[["Stage"], Path]
    device: str
    progress: Progress


class Stage(Strict):
    """One step of a game.

    Fields are everything the result depends on; fields that are stages are its inputs. Two stages with the same
    fields are the same stage, wherever they stand.

    Attributes:
        kind: The stage's type.
        revision: Raised whenever the stage's code comes to give another result.
        exclusive: Whether it measures time, so that nothing else may run beside it.
    """

    kind: ClassVar[str]
    revision: ClassVar[int] = 1
    exclusive: ClassVar[bool] = False

    @property
    @abstractmethod
    def label(self) -> str:
        """A short description, unique enough for a person."""

    @abstractmethod
    def run(self, context: StageContext) -> None:
        """Do the work and leave the result in ``context.out``."""

    def inputs(self) -> list["Stage"]:
        """The stages whose results this one reads."""
        values: list[Any] = []
        for value in dict(self).values():
            if isinstance(value, Mapping):
                values += [value[name] for name in sorted(value)]
            else:
                values += value if isinstance(value, tuple) else [value]
        return [value for value in values if isinstance(value, Stage)]

    def key(self, device: str) -> str:
        """A hash of all that the result depends on, library versions and kind of device included."""
        if device not in self.known_keys:
            parts = [
                self.revision,
                device,
                library_versions(),
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
        """The fields as plain data, inputs in full."""
        return {"kind": self.kind, **self.model_dump(mode="json")}

    @cached_property
    def identity(self) -> str:
        """The fields as text: what makes two stages the same."""
        return json.dumps(self.spec(), sort_keys=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


class Model(Strict):
    """A model and the hash of its files.

    Attributes:
        spec: How it is named.
        hash: From :func:`distillgame.models.fingerprint`.
    """

    spec: ModelSpec
    hash: str

    @classmethod
    def of(cls, spec: ModelSpec, resolve: bool = True) -> "Model":
        """Fingerprint a model; without ``resolve`` nothing is read, and the stage can be described but not run."""
        if not resolve:
            return cls(spec=spec, hash="")
        return cls(spec=pinned(spec), hash=fingerprint(pinned(spec)))

    def load(self, device: str) -> LanguageModel:
        """Load it; the last few are kept in memory and must not be changed."""
        return _load(self, device)


@lru_cache(maxsize=4)
def _load(model: Model, device: str) -> LanguageModel:
    return load_model(model.spec, device)


@lru_cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that results depend on, and of packages that bring policies, students or tasks."""
    versions = {name: version(name) for name in LIBRARIES}
    points = [
        point for kind in ("policies", "students", "tasks") for point in entry_points(group=f"distillgame.{kind}")
    ]
    return versions | {point.dist.name: point.dist.version for point in points if point.dist is not None}
