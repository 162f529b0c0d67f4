"""A bench on this machine, or on a node of a Ray cluster that it has to itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from distillgame.arena.bench import run, through_vllm
from distillgame.arena.bench.run import Progress
from distillgame.arena.config import Compute
from distillgame.arena.engines import cluster_device, connected
from distillgame.arena.engines.apart import run_apart
from distillgame.arena.engines.apart_process import answer
from distillgame.arena.run.scheduler import StageError
from distillgame.arena.store import environment, lock
from distillgame.models import DeviceName, pick_device, quiet

MODULE = __name__
"""The module whose ``main()`` a node runs."""

EngineName = Literal["distillgame", "vllm"]


def bench_here(out: Path, engine: EngineName, quick: bool, device: DeviceName, progress: Progress) -> None:
    """Time defenses on this machine.

    Args:
        out: The folder for the results.
        engine: The engine that samples.
        quick: Whether less is timed.
        device: Where networks run.
        progress: Told what is being timed.

    Raises:
        DistillgameError: If an input is bad.
    """
    chosen = pick_device(device, "--device")
    quiet()
    if engine == "vllm":
        plan = through_vllm.QUICK_VLLM if quick else through_vllm.FULL_VLLM
        through_vllm.bench_vllm(out, plan, chosen, progress)
    else:
        run.bench(out, run.QUICK if quick else run.FULL, chosen, progress)


def bench_on_cluster(
    address: str, out: Path, engine: EngineName, quick: bool, device: DeviceName, progress: Progress
) -> None:
    """Time defenses on a node of a Ray cluster: the very bench, alone there, with all threads of that node.

    Finished parts come back as they are measured, so that a lost node or an interruption costs the part that it was at.

    Args:
        address: The cluster, as in ``compute.address``.
        out: The folder for the results, on this machine.
        engine: The engine that samples.
        quick: Whether less is timed.
        device: Where networks run; ``auto`` is a node with a GPU if there is one.
        progress: Told what is being timed.

    Raises:
        DistillgameError: If there is no such cluster, no node is large enough, or the bench fails there.
    """
    with lock(out), connected(Compute(engine="ray", address=address), "--address"):
        chosen = cluster_device() if device == "auto" else device
        order = {"engine": engine, "quick": quick, "device": chosen, "environment": environment()}
        outcome = run_apart("bench", MODULE, order, out, "bench*.parts.json", chosen == "cuda", progress)
    if "error" in outcome:
        raise StageError(f"bench: {outcome['error']}", outcome.get("traceback", ""))


def main() -> None:
    """Time what an order asks for."""

    def work(order: Mapping[str, Any], progress: Progress) -> None:
        bench_here(Path(order["out"]), order["engine"], order["quick"], order["device"], progress)

    answer(work)
