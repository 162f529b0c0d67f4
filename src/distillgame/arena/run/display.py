"""The progress of a run, on a terminal or in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from distillgame.arena.stages import Stage


class Silent:
    """Shows nothing."""

    def plan(self, total: int, finished: int) -> None:
        """Ignore."""

    def start(self, stage: Stage) -> None:
        """Ignore."""

    def advance(self, stage: Stage, done: int, total: int) -> None:
        """Ignore."""

    def finish(self, stage: Stage) -> None:
        """Ignore."""


class Live:
    """Bars on a terminal; elsewhere one line for each finished stage.

    Args:
        console: Where to draw, standard error by default.
    """

    def __init__(self, console: Console | None = None):
        self.console = console or Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._all: TaskID | None = None
        self._bars: dict[Stage, TaskID] = {}
        self._started: dict[Stage, float] = {}
        self._done = self._total = 0

    def __enter__(self) -> "Live":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def plan(self, total: int, finished: int) -> None:
        """Show the bar of all stages."""
        self._done, self._total = finished, total
        self._all = self.progress.add_task("[bold]all stages", total=total, completed=finished)
        if finished:
            self.console.print(f"{finished} of {total} stages are finished already", highlight=False)

    def start(self, stage: Stage) -> None:
        """Show the stage's bar."""
        self._started[stage] = time.monotonic()
        self._bars[stage] = self.progress.add_task(stage.label, total=None)

    def advance(self, stage: Stage, done: int, total: int) -> None:
        """Move the stage's bar."""
        self.progress.update(self._bars[stage], completed=done, total=total)

    def finish(self, stage: Stage) -> None:
        """Take the stage's bar away and move the bar of all."""
        self._done += 1
        self.progress.remove_task(self._bars.pop(stage))
        if self._all is not None:
            self.progress.update(self._all, completed=self._done)
        if not self.console.is_terminal:
            seconds = time.monotonic() - self._started[stage]
            line = f"[{self._done}/{self._total}] {stage.label} ({seconds:.0f} s)"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
