"""A stage on a node of a Ray cluster."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distillgame.arena.engines.worker import compute, prepare, seldom
from distillgame.arena.stages import close_vllm
from distillgame.arena.store import LOCK, environment, node_folder, remote_at, require_same
from distillgame.errors import DistillgameError

LOGS = "logs"
"""The folder of a run's logs."""


class Board:
    """The progress of running stages; an actor, to which all nodes report."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[int, int]] = {}

    def put(self, stage: str, done: int, total: int) -> None:
        """Take note of how far a stage is."""
        self._said[stage] = done, total

    def take(self) -> dict[str, tuple[int, int]]:
        """Return what was reported since the last time."""
        said, self._said = self._said, {}
        return said


def compute_remotely(order: Mapping[str, Any], board: Any) -> dict[str, Any]:
    """Compute a stage in a process of Ray's, and return how that ended.

    Args:
        order: What :func:`distillgame.arena.engines.worker.compute` takes, and the environment and the folder of the
            process that plays the run, and the name of the stage's log.
        board: The actor that is told of progress.
    """
    prepare()
    url = order["store"]
    root = Path(order["root"]) if url is None else node_folder(url)
    try:
        require_same(order["environment"])
        if url is None:
            _require_shared(root)
    except DistillgameError as error:
        return {"error": str(error)}
    with suppress(OSError):  # A node without that folder finds whatever is named by its whole path.
        os.chdir(order["folder"])
    name = f"{LOGS}/{order['log']}.log"
    with _log(root / name):
        try:
            outcome = compute(
                {**order, "root": str(root)}, seldom(lambda done, total: board.put.remote(order["log"], done, total))
            )
        finally:
            close_vllm()  # The next stage on these GPUs may run in another process.
    if url is not None and (root / name).stat().st_size > 0:
        with suppress(Exception):  # Where the store does not take it, the log stays on the node.
            remote_at(url).bucket.upload(root / name, name)
    if "error" in outcome:
        outcome["error"] += f" (on node {environment()['node']})"
    return outcome


def _require_shared(root: Path) -> None:
    """Check that this node sees the folder that the process which plays the run holds.

    Raises:
        DistillgameError: If it does not.
    """
    if not (root / LOCK).is_file():
        raise DistillgameError(
            f"node {environment()['node']} does not see the run's folder {root}: "
            "choose one on a file system that all nodes share, or set compute.store to an object store"
        )


@contextmanager
def _log(path: Path) -> Iterator[None]:
    """Send whatever is printed to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for place, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, place)
            os.close(descriptor)
