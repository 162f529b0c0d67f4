import signal
import time
from pathlib import Path
from typing import Any

from distillgame.arena import load_config
from distillgame.arena.plan import Planner
from distillgame.arena.run.display import Silent
from distillgame.arena.run.scheduler import Pool, execute
from distillgame.arena.run.store import Store
from distillgame.policies import PolicyChoice


def test_a_worker_that_dies_while_idle_is_replaced(tiny: dict[str, Any], tmp_path: Path) -> None:
    """A pool outlives one run of stages, and an idle worker holds models: it may be killed for memory."""
    planner, store = Planner(load_config(tiny)), Store(tmp_path, "cpu")
    first, second = (planner.sample(PolicyChoice(name="standard"), split, 0) for split in ("validation", "holdout"))
    with Pool(store, 1) as pool:
        execute([first], pool, Silent())
        worker = pool.take()
        assert worker is not None
        pool.give_back(worker)
        worker.process.send_signal(signal.SIGKILL)
        while worker.alive:
            time.sleep(0.01)
        execute([second], pool, Silent())
        assert store.has(second)
