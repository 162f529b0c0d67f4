"""A process that runs stages one after the other.

It reads one JSON line a stage from its standard input and answers on its standard output with lines of progress and
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
from pathlib import Path
from typing import Any, TextIO

PROGRESS_SECONDS = 0.2
"""Shortest time between two lines of progress."""


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    orders: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()

    import torch

    from distillgame.models import quiet
    from distillgame.process import keep_freed_memory, multiply_exactly

    # One thread a worker: results do not depend on how many cores a machine has, and small networks gain nothing.
    torch.set_num_threads(1)
    quiet()
    keep_freed_memory()
    multiply_exactly()
    while True:
        order = orders.get()
        _answer(answers, **_run(order, answers))


def _listen(orders: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    os._exit(0)


def _run(order: dict[str, Any], answers: TextIO) -> dict[str, Any]:
    from distillgame.arena.run.store import Store
    from distillgame.arena.stages import close_vllm, stage_from_spec
    from distillgame.errors import DistillgameError

    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            _answer(answers, progress=[done, total])

    try:
        stage = stage_from_spec(order["stage"])
        if order["device"] != "cpu" and not stage.uses_vllm:
            close_vllm()  # It claims most of the GPU's memory.
        Store(Path(order["root"]), order["device"]).run(stage, progress)
    except DistillgameError as error:
        return {"error": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {
            "error": f"{type(error).__name__}: {' '.join(str(error).split())}",
            "traceback": traceback.format_exc(),
        }
    return {"done": True}


def _answer(answers: TextIO, **message: Any) -> None:
    answers.write(json.dumps(message) + "\n")
