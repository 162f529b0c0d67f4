"""The nodes of a Ray cluster, and what fits them."""

import time
from typing import Any

from distillgame.arena.engines.needs import Needs
from distillgame.errors import DistillgameError

JOIN_SECONDS = 120.0
"""For how long a stage waits for a node that is large enough: nodes may join late, or be started because it waits."""

POLL_SECONDS = 0.5
"""Seconds after which progress is asked for while nothing ends."""


def cluster_device() -> str:
    """Return what the cluster's networks run on: ``cuda`` if any node has a GPU."""
    return "cuda" if any(node.get("GPU", 0) for node in alive()) else "cpu"


def alive() -> list[dict[str, float]]:
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


def place(wanted: Needs, what: str, advice: str) -> dict[str, float]:
    """Wait for a node that is large enough, and return the amounts to ask for.

    Args:
        wanted: The part of a node that is taken.
        what: Who takes it, for messages.
        advice: An alternative to a larger node.

    Raises:
        DistillgameError: If none joins for :data:`JOIN_SECONDS`.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    while (asked := amounts_of(wanted, alive())) is None:
        if time.monotonic() > deadline:
            raise nowhere(wanted, what, advice)
        time.sleep(POLL_SECONDS)
    return asked


def nowhere(wanted: Needs, what: str, advice: str) -> DistillgameError:
    """Return the error that no node is large enough."""
    there = "; ".join(_describe(node) for node in alive()) or "none"
    return DistillgameError(
        f"{what} takes {wanted}, more than any node of the cluster has ({there}); start a larger node{advice}"
    )


def _describe(node: dict[str, float]) -> str:
    return f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs, {node.get('memory', 0) / 1e9:.3g} GB"
