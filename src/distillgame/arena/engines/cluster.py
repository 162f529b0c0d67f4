"""A Ray cluster that computes stages: Ray places each where what it needs is free, and starts it again if that dies."""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from distillgame.arena.config import Compute
from distillgame.arena.engines.engine import Engine, Message
from distillgame.arena.engines.needs import Needs, needs, require_kinds
from distillgame.arena.engines.remote import Board, compute_remotely
from distillgame.arena.stages import Stage
from distillgame.arena.store import Store, environment
from distillgame.errors import DistillgameError

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

    def __exit__(self, *_: object) -> None:
        import ray

        for task in self._running:
            with suppress(Exception):  # The cluster may be gone.
                ray.cancel(task, force=True)
        if self._board is not None:
            with suppress(Exception):
                ray.kill(self._board)
        self._running.clear()

    def start(self, stage: Stage) -> bool:
        """Hand a stage to Ray, unless as many are waiting there as are running: the most urgent go first.

        Raises:
            DistillgameError: If no node is large enough.
        """
        import ray

        nodes = _nodes()
        if len(self._running) >= 2 * max(1, int(sum(node.get("CPU", 0) for node in nodes))):
            return False
        wanted = needs(stage, self._compute, self.store.device)
        if self._board is None:
            self._board = ray.remote(Board).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        task = (
            ray.remote(compute_remotely)
            .options(name=stage.label, max_retries=RETRIES, **_options(stage, wanted, nodes))
            .remote(self._order(stage), self._board)
        )
        self._running[task] = stage
        return True

    def wait(self) -> tuple[Stage, Message]:
        """Wait for a stage that ends, or for progress."""
        import ray

        while not self._messages:
            ended, _ = ray.wait(list(self._running), num_returns=1, timeout=POLL_SECONDS)
            for task in ended:
                self._messages.append((self._running.pop(task), _outcome(task)))
            if not ended:
                self._messages.extend(self._progress())
        return self._messages.popleft()

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


def _options(stage: Stage, wanted: Needs, nodes: list[dict[str, float]]) -> dict[str, Any]:
    """Return what Ray is told of a stage's needs.

    Raises:
        DistillgameError: If no node is large enough.
    """
    largest = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    asked = {"CPU": wanted.cpus if wanted.cpus is not None else largest, "GPU": wanted.gpus, "memory": wanted.memory}
    if not any(all(node.get(name, 0) >= amount for name, amount in asked.items()) for node in nodes):
        text = f"{asked['CPU']:g} CPUs, {asked['GPU']:g} GPUs and {asked['memory'] / 1e9:.3g} GB of memory"
        there = "; ".join(_describe(node) for node in nodes) or "none"
        raise DistillgameError(
            f"stage '{stage.label}' takes {text}, more than any node of the cluster has ({there}); "
            f"start a larger node, or say what it takes under compute.resources.{stage.kind}"
        )
    return {"num_cpus": asked["CPU"], "num_gpus": asked["GPU"], "memory": int(asked["memory"])}


def _describe(node: dict[str, float]) -> str:
    return f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs, {node.get('memory', 0) / 1e9:.3g} GB"


def _outcome(task: Any) -> Message:
    import ray

    try:
        message: Message = ray.get(task)
    except ray.exceptions.RayError as error:
        said = " ".join(str(error).split())
        return {"error": f"Ray lost it {RETRIES + 1} times ({type(error).__name__}: {said:.300})"}
    return message
