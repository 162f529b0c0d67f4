"""Run the stages of a game, each after its inputs, several at a time."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from distillgame.arena.engines import Engine
from distillgame.arena.stages import Stage, TrainingStage
from distillgame.errors import DistillgameError


class Display(Protocol):
    """Shows the progress of a run."""

    def plan(self, total: int, finished: int) -> None:
        """Say how many stages there are, and how many are finished already."""

    def start(self, stage: Stage) -> None:
        """A stage began."""

    def advance(self, stage: Stage, done: int, total: int) -> None:
        """A stage has done part of its work."""

    def finish(self, stage: Stage) -> None:
        """A stage is finished."""


class StageError(DistillgameError):
    """A stage that broke for a reason nobody foresaw.

    Attributes:
        details: The traceback of the process it ran in.
    """

    def __init__(self, message: str, details: str = ""):
        super().__init__(message)
        self.details = details


def in_order(targets: Iterable[Stage]) -> list[Stage]:
    """Return all stages that ``targets`` need, themselves included, each once and after its inputs."""
    ordered: dict[Stage, None] = {}

    def visit(stage: Stage) -> None:
        if stage not in ordered:
            for needed in stage.inputs():
                visit(needed)
            ordered[stage] = None

    for target in targets:
        visit(target)
    return list(ordered)


def by_urgency(stages: Sequence[Stage]) -> list[Stage]:
    """Return stages in the order in which they should start, as far as their inputs allow.

    Readers of trained students come first, so that few of those lie on the disk at a time. Then comes whatever has the
    longest way to the end of the game, so that no long training is left for the end, where other workers would wait.

    Args:
        stages: The stages, each after its inputs.
    """
    ways: dict[Stage, float] = {}
    for stage in reversed(stages):
        ways[stage] = ways.get(stage, 0.0) + stage.effort
        for needed in stage.inputs():
            ways[needed] = max(ways.get(needed, 0.0), ways[stage])
    reads = {stage: any(isinstance(needed, TrainingStage) for needed in stage.inputs()) for stage in stages}
    return sorted(stages, key=lambda stage: (not reads[stage], -ways[stage]))


def execute(
    targets: Sequence[Stage], engine: Engine, display: Display, after: Callable[[Stage], None] | None = None
) -> None:
    """Compute what is missing of ``targets`` and of what they need.

    Args:
        targets: The stages whose results are wanted.
        engine: Who computes them; of no use any more after a failure.
        display: Told of every step.
        after: Called with every stage that this call finished.

    Raises:
        DistillgameError: The first failure of a stage; what was finished until then is kept.
    """
    stages = in_order(targets)
    front = Front([stage for stage in stages if not engine.store.has(stage)], engine.isolates)
    display.plan(len(stages), len(stages) - len(front))
    while front:
        while (stage := front.next()) is not None and engine.start(stage):
            front.start(stage)
            display.start(stage)
        stage, message = engine.wait()
        if "progress" in message:
            display.advance(stage, *message["progress"])
            continue
        if "done" not in message:
            raise StageError(f"stage '{stage.label}' failed: {message['error']}", message.get("traceback", ""))
        if not engine.store.has(stage, fresh=True):
            # What waits for it would wait forever: its fields do not survive JSON, or somebody deletes results.
            raise StageError(f"stage '{stage.label}' was computed, and its result is not in {engine.store.root}")
        front.finish(stage)
        display.finish(stage)
        if after is not None:
            after(stage)


class Front:
    """The stages that are not finished, and which of them may start.

    Args:
        stages: Those that are not finished, each after its inputs.
        isolates: Whether a stage that measures time may start beside others.
    """

    def __init__(self, stages: Sequence[Stage], isolates: bool = False):
        self._isolates = isolates
        self._ranks = {stage: rank for rank, stage in enumerate(by_urgency(stages))}
        self._missing = {stage: {needed for needed in stage.inputs() if needed in self._ranks} for stage in stages}
        self._readers: dict[Stage, list[Stage]] = {stage: [] for stage in stages}
        for stage, needed in self._missing.items():
            for each in needed:
                self._readers[each].append(stage)
        # One heap for ordinary stages and one for those that measure time.
        self._ready: dict[bool, list[tuple[int, Stage]]] = {False: [], True: []}
        for stage in stages:
            self._add_if_ready(stage)
        self._running: set[Stage] = set()

    def __len__(self) -> int:
        return len(self._missing)

    def next(self) -> Stage | None:
        """Return the stage that should start now; one that measures time starts alone, once no other can."""
        alone = not self._isolates
        if alone and any(stage.exclusive for stage in self._running):
            return None
        if self._ready[False]:
            return self._ready[False][0][1]
        if self._ready[True] and not (alone and self._running):
            return self._ready[True][0][1]
        return None

    def start(self, stage: Stage) -> None:
        """Take note that the next stage has started."""
        heapq.heappop(self._ready[stage.exclusive])
        self._running.add(stage)

    def finish(self, stage: Stage) -> None:
        """Take note that a running stage is finished."""
        self._running.remove(stage)
        del self._missing[stage]
        for reader in self._readers[stage]:
            self._missing[reader].discard(stage)
            self._add_if_ready(reader)

    def _add_if_ready(self, stage: Stage) -> None:
        if not self._missing[stage]:
            heapq.heappush(self._ready[stage.exclusive], (self._ranks[stage], stage))
