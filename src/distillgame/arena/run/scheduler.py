"""Run the stages of a game, each after its inputs, several at a time."""

import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from distillgame.arena.run.share import share
from distillgame.arena.run.store import Store
from distillgame.arena.stages import Stage, TrainingStage
from distillgame.errors import DistillgameError
from distillgame.fork_server import fork_server, start_worker

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment variables of worker processes."""

fork_server.preload("distillgame.arena.run.worker", "distillgame.arena.stages", "distillgame.students.training.trainer")


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


class Pool:
    """Worker processes that stay for as long as the pool is open; each starts when it is first needed.

    Args:
        store: Where results are kept.
        size: Number of processes.
        gpus: Number of GPUs that each may use.
    """

    def __init__(self, store: Store, size: int, gpus: int = 1):
        self.store, self.size, self.gpus = store, size, gpus
        self.events: queue.Queue[tuple[_Worker, dict[str, Any]]] = queue.Queue()
        self._stack = ExitStack()
        self._numbers: set[int] = set()
        self._idle: list[_Worker] = []

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take(self) -> "_Worker | None":
        """Return a worker that has nothing to do, if there is one; those that died meanwhile are replaced."""
        self._numbers -= {worker.number for worker in self._idle if not worker.alive}
        self._idle = [worker for worker in self._idle if worker.alive]
        if not self._idle and len(self._numbers) < self.size:
            # One that died leaves its share of the machine to its successor.
            number = min(set(range(self.size)) - self._numbers)
            environment = share(self.store.device, number, self.size, self.gpus)
            self._idle.append(self._stack.enter_context(_Worker(self.store, number, environment, self.events)))
            self._numbers.add(number)
        return self._idle.pop() if self._idle else None

    def give_back(self, worker: "_Worker") -> None:
        """Take note that a worker has nothing to do."""
        self._idle.append(worker)


def execute(
    targets: Sequence[Stage], pool: Pool, display: Display, after: Callable[[Stage], None] | None = None
) -> None:
    """Compute what is missing of ``targets`` and of what they need.

    Args:
        targets: The stages whose results are wanted.
        pool: Who computes them; of no use any more after a failure.
        display: Told of every step.
        after: Called with every stage that this call finished.

    Raises:
        DistillgameError: The first failure of a stage; what was finished until then is kept.
    """
    stages = in_order(targets)
    waiting = by_urgency([stage for stage in stages if not pool.store.has(stage)])
    display.plan(len(stages), len(stages) - len(waiting))
    running: dict[_Worker, Stage] = {}
    while waiting or running:
        for stage in _ready(waiting, running, pool.store):
            free = pool.take()
            if free is None:
                break
            waiting.remove(stage)
            running[free] = stage
            display.start(stage)
            free.order(stage)
        worker, message = pool.events.get()
        if worker not in running:
            continue  # It died while it had nothing to do.
        stage = running[worker]
        if "progress" in message:
            display.advance(stage, *message["progress"])
            continue
        del running[worker]
        if "done" not in message:
            raise StageError(f"stage '{stage.label}' failed: {message['error']}", message.get("traceback", ""))
        pool.give_back(worker)
        if not pool.store.has(stage):
            # What waits for it would wait forever: its fields do not survive JSON, or somebody deletes results.
            raise StageError(f"stage '{stage.label}' was computed, and its result is not in {pool.store.root}")
        display.finish(stage)
        if after is not None:
            after(stage)


def _ready(waiting: Sequence[Stage], running: dict["_Worker", Stage], store: Store) -> list[Stage]:
    """Return the stages that may start now; one that measures time starts alone, once no other can."""
    if any(stage.exclusive for stage in running.values()):
        return []
    ready = [stage for stage in waiting if all(store.has(needed) for needed in stage.inputs())]
    ordinary = [stage for stage in ready if not stage.exclusive]
    if ordinary or running:
        return ordinary
    return ready[:1]


class _Worker:
    """A worker process and the thread that listens to it."""

    def __init__(
        self,
        store: Store,
        number: int,
        environment: Mapping[str, str],
        events: "queue.Queue[tuple[_Worker, dict[str, Any]]]",
    ):
        self.store, self.number = store, number
        self.events = events
        logs = store.root / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.log = (logs / f"worker-{number}.log").open("a")
        every = {**os.environ, **ENVIRONMENT, **environment}
        self.process = start_worker("distillgame.arena.run.worker", every, self.log, store.device)
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def order(self, stage: Stage) -> None:
        assert self.process.stdin is not None
        order = {"stage": stage.spec(), "root": str(self.store.root), "device": self.store.device}
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # Its death is reported by the thread that listens.

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put((self, json.loads(line)))
        code = self.process.wait()
        reason = f"signal {-code}, perhaps out of memory" if code < 0 else f"exit status {code}"
        self.events.put((self, {"error": f"its process died ({reason}); see {Path(self.log.name)}"}))
