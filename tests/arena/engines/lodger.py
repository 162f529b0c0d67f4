"""A job with two parts, the first of which never ends by itself."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from distillgame.arena.engines.apart_process import answer


def main() -> None:
    """Note the number of threads at each start."""
    answer(work)


def work(order: Mapping[str, Any], say: Callable[[str], None]) -> None:
    parts = Path(order["out"]) / "job.parts.json"
    known = json.loads(parts.read_text()) if parts.exists() else []
    parts.write_text(json.dumps([*known, torch.get_num_threads()]))
    say(f"process {os.getpid()}")
    if not known:
        time.sleep(600)
    (Path(order["out"]) / "job.json").write_text(parts.read_text())
    parts.unlink()
