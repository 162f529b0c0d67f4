"""A process that computes stages one after the other.

It reads one JSON line per stage from its standard input and answers on its standard output with lines of progress and
one line of outcome. Anything that libraries print goes to standard error instead. It ends when its input ends, so no
worker outlives the run that started it.
"""

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

PROGRESS_SECONDS = 0.2
"""Shortest time between two reports of progress."""

if TYPE_CHECKING:
    from distillgame.arena.stages.base import Progress


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    orders: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()

    prepare()
    while True:
        order = orders.get()
        _answer(answers, **compute(order, seldom(lambda done, total: _answer(answers, progress=[done, total]))))


@cache
def prepare() -> None:
    """Set what results and speed depend on, once per process."""
    import torch

    from distillgame.models import quiet
    from distillgame.process import keep_freed_memory, multiply_exactly

    # One thread a worker: results do not depend on how many cores a machine has, and small networks gain nothing.
    torch.set_num_threads(1)
    quiet()
    keep_freed_memory()
    multiply_exactly()


def seldom(progress: "Progress") -> "Progress":
    """Return the same report of progress, made no more often than every :data:`PROGRESS_SECONDS`."""
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            progress(done, total)

    return report


def compute(order: Mapping[str, Any], progress: "Progress") -> dict[str, Any]:
    """Compute a stage, and return how that ended: with ``done``, or with an ``error``.

    Args:
        order: The stage's specification, the run's folder, the device, and the object store, if there is one; or what
            :func:`distillgame.arena.engines.together.run_stage` says to a process that computes a part.
        progress: Told how far it is.
    """
    from distillgame.arena.engines.together import run_part, run_stage
    from distillgame.arena.stages import close_vllm, stage_from_spec
    from distillgame.arena.store import Cache, Store, remote_at
    from distillgame.errors import DistillgameError

    try:
        if "folders" in order:
            return run_part(order, progress)
        stage = stage_from_spec(order["stage"])
        if order["device"] != "cpu" and not stage.uses_vllm:
            close_vllm()  # It claims most of the GPU's memory.
        root, url, bound = Path(order["root"]), order["store"], order["cache"]
        cache = None if bound is None else Cache(root, bound)
        remote = None if url is None else remote_at(url)
        Store(root, order["device"], remote, cache).run(stage, progress, run_stage)
    except DistillgameError as error:
        return {"error": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {
            "error": f"{type(error).__name__}: {' '.join(str(error).split())}",
            "traceback": traceback.format_exc(),
        }
    return {"done": True}


def _listen(orders: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    os._exit(0)


def _answer(answers: TextIO, **message: Any) -> None:
    answers.write(json.dumps(message) + "\n")
