"""Training of the embedded models (``distillgame worlds train``), one process per model."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Queue

import torch

from distillgame.errors import DistillgameError
from distillgame.models import load_model, quiet
from distillgame.worlds.assess import assess, violations
from distillgame.worlds.atlas import WORLDS
from distillgame.worlds.recipes import RECIPES
from distillgame.worlds.training import train

Report = Callable[[str, int, int, float], None]
"""Called with the model's name, steps done, total steps and the loss."""

CHECKED_ON = 1000
"""Number of problems for checking requirements."""


def build(out: Path, names: Sequence[str], report: Report) -> dict[str, dict[str, float]]:
    """Train models into ``out``, as many at a time as there are cores, and check their recipes' requirements.

    Args:
        out: Folder for the models, one folder each.
        names: Names from :data:`RECIPES`.
        report: Called with the progress.

    Returns:
        The measurements of each model (see :func:`distillgame.worlds.assess.assess`).

    Raises:
        DistillgameError: If a name is unknown, a training fails, or a model does not meet its recipe's requirements.
    """
    for name in names:
        if name not in RECIPES:
            raise DistillgameError(f"unknown model '{name}': choose among {', '.join(RECIPES)}")
    waiting: Queue[str] = Queue()
    for name in names:
        waiting.put(name)
    failures: list[str] = []
    threads = [
        threading.Thread(target=_serve, args=(waiting, out, report, failures))
        for _ in range(min(len(names), os.cpu_count() or 1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise DistillgameError("; ".join(failures))
    return check(out, names)


def check(folder: Path, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Measure models in ``folder`` and check their recipes' requirements.

    Raises:
        DistillgameError: If a model is missing or does not meet its recipe's requirements.
    """
    quiet()
    worlds = {name: WORLDS[RECIPES[name].world] for name in names}
    found = {name: assess(load_model(str(folder / name)), world, CHECKED_ON) for name, world in worlds.items()}
    broken = [f"{name}: {text}" for name in names for text in violations(found[name], RECIPES[name].require)]
    if broken:
        raise DistillgameError(f"preconditions of the embedded worlds do not hold: {'; '.join(broken)}")
    return found


def _serve(waiting: "Queue[str]", out: Path, report: Report, failures: list[str]) -> None:
    while not waiting.empty():
        name = waiting.get()
        process = subprocess.Popen(
            [sys.executable, "-m", "distillgame.worlds.build", name, str(out / name)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None
        for line in process.stdout:
            done, total, loss = json.loads(line)
            report(name, done, total, loss)
        if process.wait() != 0:
            failures.append(f"training of '{name}' ended with exit status {process.returncode}")


def _train_one(name: str, out: Path) -> None:
    """Train one model in this process with one thread, so that the result does not depend on the number of cores."""
    torch.set_num_threads(1)
    quiet()

    def report(done: int, total: int, loss: float) -> None:
        if done % 10 == 0 or done == total:
            print(json.dumps([done, total, loss]), flush=True)

    model, tokenizer = train(RECIPES[name], report)
    # Half precision halves the size on disk; the rounding is far too small to matter.
    model.half().save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    _train_one(sys.argv[1], Path(sys.argv[2]))
