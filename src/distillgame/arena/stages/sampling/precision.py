"""The precision of teacher and proxies where the configuration leaves it open, chosen by timing on a CPU."""

import json
from pathlib import Path
from typing import Any, ClassVar

from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.stages.model import Model
from distillgame.decoding import NetworkTiming, settle_precisions
from distillgame.models import load_model

PRECISION = "precision.json"
"""The stage's result: a :class:`~distillgame.decoding.NetworkTiming` by network."""


class PrecisionStage(Stage):
    """Time the passes of teacher and proxies in both precisions.

    It measures the machine. Within a run it is measured once and kept, so that a run that goes on, there or elsewhere,
    goes on in the same precision.

    Attributes:
        teacher: The teacher.
        proxies: The proxies by name.
        rows: Number of sequences that are decoded together.
        speculative: Whether the proxies draft.
    """

    kind: ClassVar[str] = "precision"
    exclusive: ClassVar[bool] = True

    teacher: Model
    proxies: dict[str, Model]
    rows: int
    speculative: bool

    @property
    def label(self) -> str:
        """The number of rows."""
        return f"time precisions at {self.rows} rows"

    def run(self, context: StageContext) -> None:
        """Write ``precision.json``."""
        proxies = {name: proxy.spec for name, proxy in self.proxies.items()}
        found = settle_precisions(
            self.teacher.spec, proxies, self.rows, self.speculative,
            lambda spec: load_model(spec, context.device), context.device,
        )  # fmt: skip
        result = {name: timing.model_dump() for name, timing in found.items()}
        (context.out / PRECISION).write_text(json.dumps(result, indent=1) + "\n")


def read_precisions(folder: Path) -> dict[str, NetworkTiming]:
    """Return what a finished stage measured."""
    found: dict[str, Any] = json.loads((folder / PRECISION).read_text())
    return {name: NetworkTiming.model_validate(timing) for name, timing in found.items()}
