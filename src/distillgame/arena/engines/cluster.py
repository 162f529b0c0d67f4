"""A Ray cluster that computes stages: Ray places each where what it needs is free, and starts it again if that dies."""

import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, ClassVar

from distillgame.arena.config import Compute
from distillgame.arena.engines import nodes
from distillgame.arena.engines.engine import Engine, Message
from distillgame.arena.engines.needs import Needs, needs, require_kinds
from distillgame.arena.engines.remote import Board, compute_remotely
from distillgame.arena.stages import Stage
from distillgame.arena.store import Store, environment
from distillgame.errors import DistillgameError

RETRIES = 5
"""Number of times a stage is started again that was lost with its process or node."""


class Cluster(Engine):
    """A connection to a Ray cluster, on which each stage is one task.

    Args:
        store: Where results are kept: on a file system that all nodes share, or in an object store.
        compute: The configuration.
    """

    isolates: ClassVar[bool] = True

    def __init__(self, store: Store, compute: Compute):
        require_kinds(compute)
        self.store, self._compute = store, compute
        self._running: dict[Any, Stage] = {}
        self._messages: deque[tuple[Stage, Message]] = deque()
        self._board: Any = None
        self._asked: dict[Any, dict[str, float]] = {}
        self._without_place: dict[Any, float] = {}

    def __exit__(self, *_: object) -> None:
        import ray

        for task in self._running:
            with suppress(Exception):  # The cluster may be gone.
                ray.cancel(task, force=True)
        if self._board is not None:
            with suppress(Exception):
                ray.kill(self._board)
        self._running.clear()
        self._asked.clear()

    def start(self, stage: Stage) -> bool:
        """Hand a stage to Ray, unless as many are waiting there as are running: the most urgent go first.

        Raises:
            DistillgameError: If a stage takes a whole node, and none that is large enough joins.
        """
        import ray

        wanted = needs(stage, self._compute, self.store.device)
        scarce = "GPU" if wanted.gpus else "CPU"
        handed_over = sum(bool(asked["GPU"]) == bool(wanted.gpus) for asked in self._asked.values())
        if handed_over >= 2 * max(1, int(sum(node.get(scarce, 0) for node in nodes.alive()))):
            return False
        asked = self._place(stage, wanted)
        if asked is None:
            return False
        if self._board is None:
            self._board = ray.remote(Board).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        amounts = {"num_cpus": asked["CPU"], "num_gpus": asked["GPU"], "memory": int(asked["memory"])}
        function = remote_function(on_gpu=wanted.gpus > 0)
        task = function.options(name=stage.label, max_retries=RETRIES, **amounts).remote(
            self._order(stage), self._board
        )
        self._running[task], self._asked[task] = stage, asked
        return True

    def wait(self) -> tuple[Stage, Message]:
        """Wait for a stage that ends, or for progress.

        Raises:
            DistillgameError: If no node was large enough for a stage for :data:`nodes.JOIN_SECONDS`.
        """
        import ray

        while not self._messages:
            ended, _ = ray.wait(list(self._running), num_returns=1, timeout=nodes.POLL_SECONDS)
            for task in ended:
                self._messages.append((self._running.pop(task), outcome_of(task)))
                del self._asked[task]
            if not ended:
                self._messages.extend(self._progress())
                self._require_places()
        return self._messages.popleft()

    def _place(self, stage: Stage, wanted: Needs) -> dict[str, float] | None:
        """Return what Ray is asked for; None if a whole node is, none is large enough, and others are running."""
        if self._running:
            return nodes.amounts_of(wanted, nodes.alive())
        return nodes.place(wanted, *_named(stage))

    def _require_places(self) -> None:
        """Check that each stage has a node that is large enough, or has had none for a short time only."""
        there, now = nodes.alive(), time.monotonic()
        waiting = [task for task, asked in self._asked.items() if not nodes.fits(asked, there)]
        self._without_place = {task: self._without_place.get(task, now) for task in waiting}
        for task, since in self._without_place.items():
            if now - since > nodes.JOIN_SECONDS:
                stage = self._running[task]
                raise nodes.nowhere(needs(stage, self._compute, self.store.device), *_named(stage))

    def _progress(self) -> Iterator[tuple[Stage, Message]]:
        import ray

        try:
            said = ray.get(self._board.take.remote(), timeout=nodes.POLL_SECONDS)
        except ray.exceptions.RayError:  # Its node may be busy, or gone; progress is for the eye only.
            return
        for stage in self._running.values():
            if (name := self.store.path(stage).name) in said:
                yield stage, {"progress": said[name]}

    def _order(self, stage: Stage) -> dict[str, Any]:
        remote = self.store.remote
        return {
            "stage": stage.spec(),
            "root": str(self.store.root.resolve()),
            "store": None if remote is None else remote.bucket.url,
            "cache": None if remote is None else int(self._compute.cache),
            "device": self.store.device,
            "environment": environment(),
            "folder": os.getcwd(),
            "log": self.store.path(stage).name,
        }


@cache
def remote_function(on_gpu: bool) -> Any:
    """Return :func:`compute_remotely` as Ray knows it; on a GPU, whose memory a process keeps, each has a new process.

    Ray would see to that by itself if the function asked for GPUs, but not where its options do.
    """
    import ray

    return ray.remote(max_calls=1)(compute_remotely) if on_gpu else ray.remote(compute_remotely)


@contextmanager
def connected(compute: Compute, field: str = "compute.address") -> Iterator[None]:
    """Be connected to the cluster; a script that is connected already stays so.

    Args:
        compute: The configuration.
        field: The field or option that names the cluster, for messages.

    Raises:
        DistillgameError: If Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise DistillgameError(
            f"{field}: a Ray cluster needs the extra 'ray' (pip install 'distillgame[ray]')"
        ) from error
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"include_dashboard": False} if compute.address == "local" else {}
    try:
        ray.init(
            address=compute.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            namespace="distillgame",
            **options,
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        said = " ".join(str(error).split())
        raise DistillgameError(f"{field}: no Ray cluster at '{compute.address}' ({said:.300})") from error
    try:
        yield
    finally:
        ray.shutdown()


def _named(stage: Stage) -> tuple[str, str]:
    return f"stage '{stage.label}'", f", or say what it takes under compute.resources.{stage.kind}"


def outcome_of(task: Any) -> Message:
    """Return what a task of Ray returns, or its ``error``; one that was ``lost`` with its process or node says so."""
    import ray

    try:
        message: Message = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return {"error": f"on its node: {type(cause).__name__}: {cause}", "traceback": str(error)}
    except ray.exceptions.RayError as error:
        said = " ".join(str(error).split())
        return {"error": f"Ray lost it {RETRIES + 1} times ({type(error).__name__}: {said:.300})", "lost": True}
    return message
