"""The time a sweep takes on many workers against its critical path, and the time and memory that its plan takes.

Run ``python -m benchmarks.makespan`` with the name of a configuration. Stage times are the dry run's upper bounds, or
with ``--run FOLDER`` what a finished run recorded. The order in which stages start is the scheduler's own.
"""

import argparse
import heapq
import json
import resource
import time
from pathlib import Path

from distillgame.arena import load_config
from distillgame.arena.config import GameConfig
from distillgame.arena.operations import operations
from distillgame.arena.plan import Lineup, Planner
from distillgame.arena.run.scheduler import Front, in_order
from distillgame.arena.stages import Stage
from distillgame.models import count_parameters


def makespan(stages: list[Stage], seconds: dict[str, float], workers: int) -> float:
    """Return when so many workers are done, each taking the stage that the scheduler would start next."""
    front, now = Front(stages, isolates=True), 0.0
    places = {id(stage): place for place, stage in enumerate(stages)}
    running: list[tuple[float, int]] = []
    while front:
        while len(running) < workers and (stage := front.next()) is not None:
            front.start(stage)
            heapq.heappush(running, (now + seconds[stage.label], places[id(stage)]))
        now, place = heapq.heappop(running)
        front.finish(stages[place])
    return now


def critical_path(stages: list[Stage], seconds: dict[str, float]) -> float:
    """Return the longest way through the stages, which no number of workers shortens."""
    ends: dict[Stage, float] = {}
    for stage in stages:
        ends[stage] = seconds[stage.label] + max((ends[needed] for needed in stage.inputs()), default=0.0)
    return max(ends.values())


def recorded(folder: Path) -> dict[str, float]:
    """Return the seconds of a finished run's stages, by label."""
    manifests = [json.loads(path.read_text()) for path in folder.glob("stages/*/stage.json")]
    return {manifest["label"]: manifest["seconds"] for manifest in manifests}


def estimated(stages: list[Stage], config: GameConfig) -> dict[str, float]:
    """Return the seconds that stages take at most on the GPU of the configuration, by label."""
    specs = {"teacher": config.teacher, **config.all_proxies, "student": config.student}
    sizes = {role: count_parameters(spec) for role, spec in specs.items()}
    return {stage.label: operations(stage, config, sizes) / config.compute.gpu.teraflops / 1e12 for stage in stages}


def main() -> None:
    """Plan, and simulate 1, 8 and 64 workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?", default="gsm8k")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    config = load_config(given.config, overrides={"seeds": list(range(given.seeds))})
    planner = Planner(config, resolve=False)
    start = time.perf_counter()
    stages = in_order(Lineup(planner, None, config.sweep.queries, bool(config.sweep.queries)).expected())
    front = Front(stages)
    keys = {stage.key("cpu") for stage in stages}
    took, memory = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"planned {len(front)} stages, {len(keys)} keys, in {took:.2f} s; {memory:.0f} MB in all")
    seconds = estimated(stages, config) if given.run is None else recorded(given.run)
    least = critical_path(stages, seconds)
    print(f"critical path {least / 3600:.3g} hours")
    for workers in (1, 8, 64):
        taken = makespan(stages, seconds, workers)
        bound = max(least, sum(seconds[stage.label] for stage in stages) / workers)
        print(f"{workers:3} workers: {taken / 3600:.4g} hours, {taken / bound:.3f} of the least possible")


if __name__ == "__main__":
    main()
