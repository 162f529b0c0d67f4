"""A job that has a node of a Ray cluster to itself; its files come back to the process that asked for it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from distillgame.arena.engines import nodes
from distillgame.arena.engines.apart_process import Files, run_here
from distillgame.arena.engines.cluster import RETRIES, outcome_of
from distillgame.arena.engines.engine import Message
from distillgame.arena.engines.needs import PROCESS_BYTES, Needs

Say = Callable[[str], None]


def run_apart(
    name: str, module: str, order: Mapping[str, Any], out: Path, kept: str, gpu: bool, progress: Say
) -> Message:
    """Run a module's ``main()`` on a node that it has alone, and return how that ended.

    All processors and GPUs of a node are taken, as by a stage that measures time. A job that is lost with its node is
    started again on another, and gets the files that had come back.

    Args:
        name: The job's name, for messages.
        module: The module; its ``main()`` calls :func:`distillgame.arena.engines.apart_process.answer`.
        order: What the module is to do; the folder for its files is added as ``out``.
        out: The folder for the files here.
        kept: Matches the names of those files in ``out`` by which an interrupted job goes on.
        gpu: Whether the node must have a GPU.
        progress: Told of each step.

    Raises:
        DistillgameError: If no node is large enough for :data:`nodes.JOIN_SECONDS`.
    """
    import ray

    wanted = Needs(None, float(gpu), PROCESS_BYTES)
    # Ray would start it again with the files of the first time.
    function = ray.remote(num_returns="streaming", max_retries=0)(run_here)
    outcome: Message | None = None
    lost = 0
    while lost <= RETRIES:
        progress(f"{'its node was lost; ' if lost else ''}waiting for a node")
        asked = nodes.place(wanted, name, "")
        gpus = max((node.get("GPU", 0) for node in nodes.alive() if nodes.fits(asked, [node])), default=wanted.gpus)
        amounts = {"num_cpus": asked["CPU"], "num_gpus": gpus, "memory": int(asked["memory"])}
        files: Files = {path.name: path.read_bytes() for path in out.glob(kept)}
        answers = function.options(name=name, **amounts).remote(module, dict(order), files)
        try:
            outcome = _follow(answers, asked | {"GPU": gpus}, out, progress)
        finally:
            with suppress(Exception):  # It has ended, or the cluster is gone.
                ray.cancel(answers, force=True)
        if outcome is not None:
            if not outcome.get("lost"):
                break
            lost += 1
    assert outcome is not None
    return outcome


def _follow(answers: Any, asked: dict[str, float], out: Path, progress: Say) -> Message | None:
    """Take in what a job says and writes until it ends; None if no node is left that it was meant for."""
    import ray

    while True:
        ready, _ = ray.wait([answers], timeout=nodes.POLL_SECONDS)
        if not ready:
            if nodes.fits(asked, nodes.alive()):
                continue
            return None
        message = outcome_of(next(answers))
        for name, content in message.pop("files", {}).items():
            if content is None:
                (out / name).unlink(missing_ok=True)
            else:
                partial = out / f"{name}.partial"
                partial.write_bytes(content)
                partial.replace(out / name)
        if "said" not in message:
            return message
        progress(message["said"])
