"""A stage that several processes compute together, one per device."""

import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from distillgame.arena.engines.engine import Message, death
from distillgame.arena.stages import Stage, StageContext, stage_from_spec
from distillgame.arena.stages.base import Progress
from distillgame.errors import DistillgameError
from distillgame.fork_server import ForkedProcess, start_worker

WORKER = "distillgame.arena.engines.worker"

DEATH_SECONDS = 1.0
"""Seconds in which the death of a process shows that made others fail."""

Answers = queue.Queue[tuple[int, Message]]


def run_stage(stage: Stage, context: StageContext) -> None:
    """Run a stage here, or in as many processes as it asks for.

    Raises:
        DistillgameError: If an input is bad, or a process died.
    """
    if stage.devices == 1:
        stage.run(context)
        return
    answers: Answers = queue.Queue()
    folders = {needed.key(context.device): str(context.folder(needed)) for needed in stage.inputs()}
    order = {
        "stage": stage.spec(),
        "out": str(context.out),
        "folders": folders,
        "device": context.device,
        "journals": None if context.journals is None else str(context.journals),
    }
    with ExitStack() as stack:
        for environment in _environments(stage.devices):
            process = start_worker(WORKER, environment, sys.stderr, context.device)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # Its death is reported by the thread that listens.
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
            place = int(environment["RANK"])
            threading.Thread(target=_listen, args=(process, place, answers), daemon=True).start()
        _wait(stage.devices, answers, context)


def run_part(order: Mapping[str, Any], progress: Progress) -> Message:
    """Compute this process's part of a stage, and return how that ended."""
    import torch
    from accelerate import PartialState

    stage, device = stage_from_spec(order["stage"]), order["device"]
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    PartialState(cpu=device == "cpu")  # From here on the processes know of each other.

    def folder(needed: Stage) -> Path:
        return Path(order["folders"][needed.key(device)])

    journals = None if order["journals"] is None else Path(order["journals"])
    stage.run(StageContext(Path(order["out"]), folder, device, progress, journals))
    return {"done": True}


def _wait(count: int, answers: Answers, context: StageContext) -> None:
    """Wait until all processes are done.

    Raises:
        DistillgameError: What the first that failed says; the others would wait for it for ever.
    """
    left = count
    while left:
        place, message = answers.get()
        if "progress" in message:
            if place == 0:
                context.progress(*message["progress"])
        elif "done" in message:
            left -= 1
        else:
            place, message = _cause(place, message, answers)
            raise DistillgameError(f"{message['error']} (in process {place} of {count})")


def _cause(place: int, message: Message, answers: Answers) -> tuple[int, Message]:
    """Return the first failure, or a death: what others say of a lost connection is not the reason."""
    deadline = time.monotonic() + DEATH_SECONDS
    while not message.get("died"):
        try:
            other, said = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if said.get("died"):
            return other, said
    return place, message


def _listen(process: "ForkedProcess | Any", place: int, answers: Answers) -> None:
    for line in process.stdout:
        answers.put((place, json.loads(line)))
    answers.put((place, {"error": death(process.wait()), "died": True}))


def _environments(count: int) -> list[dict[str, str]]:
    """Return the environments of the processes, by which PyTorch lets them find each other."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    return [shared | {"RANK": str(place), "LOCAL_RANK": str(place)} for place in range(count)]
