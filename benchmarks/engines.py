"""The time that an engine takes beyond its stages' work: stages that do next to nothing, by processes and by Ray.

Run ``python -m benchmarks.engines FOLDER``; with ``--address`` of a running Ray cluster, otherwise a local one is
started. Prints, per engine, seconds until the first stage is finished, and seconds per further stage, warm.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from distillgame.arena import load_config
from distillgame.arena.run import Run
from distillgame.arena.stages import GivenStage

TRACE = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "1"}], "finish_reason": "stop"}


def stages(folder: Path, count: int) -> Iterator[GivenStage]:
    """Yield stages that read a file of one trace."""
    for number in range(count):
        path = folder / f"{number:05d}.jsonl"
        path.write_text(
            json.dumps(TRACE | {"messages": [{"role": "user", "content": str(number)}, TRACE["messages"][1]]}) + "\n"
        )
        yield GivenStage.of(path)


def timed(root: Path, overrides: dict[str, object], every: list[GivenStage]) -> dict[str, float]:
    """Return seconds until the first stage is finished, and per further stage."""
    start = time.perf_counter()
    with Run(root, load_config("bestiary", overrides=overrides), progress=False) as run:
        run.compute(every[:4])
        first = time.perf_counter() - start
        start = time.perf_counter()
        run.compute(every)
        return {"start": round(first, 2), "per_stage": round((time.perf_counter() - start) / len(every[4:]), 4)}


def main() -> None:
    """Time both engines on the same stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=1000)
    parser.add_argument("--address", default="local")
    parser.add_argument("--store", help="URL of a folder in an object store")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        every = list(stages(folder, given.stages))
        stored = {} if given.store is None else {"compute.store": given.store}
        engines: dict[str, dict[str, object]] = {
            "processes": {},
            "ray": {"compute.engine": "ray", "compute.address": given.address},
        }
        for name, overrides in engines.items():
            own = {key: f"{url}/{name}" for key, url in stored.items()}
            print(name, json.dumps(timed(folder / name, {**overrides, **own}, every)), flush=True)


if __name__ == "__main__":
    main()
