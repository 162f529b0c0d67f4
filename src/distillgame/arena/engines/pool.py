"""Worker processes of this machine that compute stages."""

import json
import os
import queue
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from distillgame.arena.engines.engine import Engine, Message, death
from distillgame.arena.engines.share import share
from distillgame.arena.stages import Stage
from distillgame.arena.store import Store
from distillgame.fork_server import fork_server, start_worker

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment variables of worker processes."""

fork_server.preload(
    "distillgame.arena.engines.worker", "distillgame.arena.stages", "distillgame.students.training.trainer"
)


class Pool(Engine):
    """Worker processes that stay for as long as the pool is open; each starts when it is first needed.

    Attributes:
        idle: The workers that have nothing to do.

    Args:
        store: Where results are kept.
        size: Number of processes.
        gpus: Number of GPUs that each may use.
    """

    def __init__(self, store: Store, size: int, gpus: int = 1):
        self.store, self.size, self.gpus = store, size, gpus
        self._events: queue.Queue[tuple[_Worker, Message]] = queue.Queue()
        self._stack = ExitStack()
        self._numbers: set[int] = set()
        self.idle: list[_Worker] = []
        self._running: dict[_Worker, Stage] = {}

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, stage: Stage) -> bool:
        """Let a worker that has nothing to do compute a stage; those that died meanwhile are replaced."""
        self._numbers -= {worker.number for worker in self.idle if not worker.alive}
        self.idle = [worker for worker in self.idle if worker.alive]
        if not self.idle and len(self._numbers) < self.size:
            # One that died leaves its share of the machine to its successor.
            number = min(set(range(self.size)) - self._numbers)
            environment = share(self.store.device, number, self.size, self.gpus)
            self.idle.append(self._stack.enter_context(_Worker(self.store, number, environment, self._events)))
            self._numbers.add(number)
        if not self.idle:
            return False
        worker = self.idle.pop()
        self._running[worker] = stage
        worker.order(stage)
        return True

    def wait(self) -> tuple[Stage, Message]:
        """Wait for what a worker says."""
        while True:
            worker, message = self._events.get()
            if worker not in self._running:
                continue  # It died while it had nothing to do.
            if "progress" in message:
                return self._running[worker], message
            if "done" in message:
                self.idle.append(worker)
            return self._running.pop(worker), message


class _Worker:
    """A worker process and the thread that listens to it."""

    def __init__(
        self,
        store: Store,
        number: int,
        environment: Mapping[str, str],
        events: "queue.Queue[tuple[_Worker, Message]]",
    ):
        self.store, self.number = store, number
        self.events = events
        logs = store.root / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.log = (logs / f"worker-{number}.log").open("a")
        every = {**os.environ, **ENVIRONMENT, **environment}
        self.process = start_worker("distillgame.arena.engines.worker", every, self.log, store.device)
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
        url = None if self.store.remote is None else self.store.remote.bucket.url
        order = {
            "stage": stage.spec(),
            "root": str(self.store.root),
            "store": url,
            "cache": None,  # The copies here are the run's own.
            "device": self.store.device,
        }
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # Its death is reported by the thread that listens.

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put((self, json.loads(line)))
        self.events.put((self, {"error": f"{death(self.process.wait())}; see {Path(self.log.name)}"}))
