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
from distillgame.arena.engines.engine import Engine, Message
from distillgame.arena.engines.needs import Needs, needs, require_kinds
from distillgame.arena.engines.remote import Board, compute_remotely
from distillgame.arena.stages import Stage
from distillgame.arena.store import Store, environment
from distillgame.errors import DistillgameError

JOIN_SECONDS = 120.0
"""For how long a stage waits for a node that is large enough: nodes may join late, or be started because it waits."""

POLL_SECONDS = 0.5
"""Seconds after which progress is asked for while nothing ends."""

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
        if handed_over >= 2 * max(1, int(sum(node.get(scarce, 0) for node in _nodes()))):
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
            DistillgameError: If no node was large enough for a stage for :data:`JOIN_SECONDS`.
        """
        import ray

        while not self._messages:
            ended, _ = ray.wait(list(self._running), num_returns=1, timeout=POLL_SECONDS)
            for task in ended:
                self._messages.append((self._running.pop(task), _outcome(task)))
                del self._asked[task]
            if not ended:
                self._messages.extend(self._progress())
                self._require_places()
        return self._messages.popleft()

    def _place(self, stage: Stage, wanted: Needs) -> dict[str, float] | None:
        """Return what Ray is asked for; None if a whole node is, none is large enough, and others are running."""
        deadline = time.monotonic() + JOIN_SECONDS
        while (asked := amounts_of(wanted, _nodes())) is None:
            if self._running:
                return None
            if time.monotonic() > deadline:
                raise _nowhere(stage, wanted, _nodes())
            time.sleep(POLL_SECONDS)
        return asked

    def _require_places(self) -> None:
        """Check that each stage has a node that is large enough, or has had none for a short time only."""
        nodes, now = _nodes(), time.monotonic()
        waiting = [task for task, asked in self._asked.items() if not fits(asked, nodes)]
        self._without_place = {task: self._without_place.get(task, now) for task in waiting}
        for task, since in self._without_place.items():
            if now - since > JOIN_SECONDS:
                stage = self._running[task]
                raise _nowhere(stage, needs(stage, self._compute, self.store.device), nodes)

    def _progress(self) -> Iterator[tuple[Stage, Message]]:
        import ray

        try:
            said = ray.get(self._board.take.remote(), timeout=POLL_SECONDS)
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
def connected(compute: Compute) -> Iterator[None]:
    """Be connected to the cluster; a script that is connected already stays so.

    Raises:
        DistillgameError: If Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise DistillgameError(
            "compute.engine: 'ray' needs the extra 'ray' (pip install 'distillgame[ray]')"
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
        raise DistillgameError(f"compute.address: no Ray cluster at '{compute.address}' ({said:.300})") from error
    try:
        yield
    finally:
        ray.shutdown()


def cluster_device() -> str:
    """Return what the cluster's networks run on: ``cuda`` if any node has a GPU."""
    return "cuda" if any(node.get("GPU", 0) for node in _nodes()) else "cpu"


def _nodes() -> list[dict[str, float]]:
    """Return the resources of the nodes that are alive."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


def amounts_of(wanted: Needs, nodes: list[dict[str, float]]) -> dict[str, float] | None:
    """Return the amounts that a stage takes by Ray's names.

    All processors of a node are those of the largest that has what else it takes; None if there is none.
    """
    asked = {"CPU": wanted.cpus or 1.0, "GPU": wanted.gpus, "memory": float(int(wanted.memory))}
    if wanted.cpus is not None:
        return asked
    able = [node["CPU"] for node in nodes if fits(asked, [node])]
    return asked | {"CPU": max(able)} if able else None


def fits(asked: dict[str, float], nodes: list[dict[str, float]]) -> bool:
    """Return whether some node is large enough when it has nothing else to do."""
    return any(all(node.get(name, 0) >= amount for name, amount in asked.items()) for node in nodes)


def _nowhere(stage: Stage, wanted: Needs, nodes: list[dict[str, float]]) -> DistillgameError:
    there = "; ".join(_describe(node) for node in nodes) or "none"
    return DistillgameError(
        f"stage '{stage.label}' takes {wanted}, more than any node of the cluster has ({there}); "
        f"start a larger node, or say what it takes under compute.resources.{stage.kind}"
    )


def _describe(node: dict[str, float]) -> str:
    return f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs, {node.get('memory', 0) / 1e9:.3g} GB"


def _outcome(task: Any) -> Message:
    import ray

    try:
        message: Message = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return {"error": f"on its node: {type(cause).__name__}: {cause}", "traceback": str(error)}
    except ray.exceptions.RayError as error:
        said = " ".join(str(error).split())
        return {"error": f"Ray lost it {RETRIES + 1} times ({type(error).__name__}: {said:.300})"}
    return message
