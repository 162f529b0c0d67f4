"""Games on a real Ray cluster of two nodes, through an object store, with deaths in the middle."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from distillgame.arena import load_config, play
from distillgame.arena.config import Compute
from distillgame.arena.engines.cluster import connected, remote_function
from distillgame.arena.plan import Planner
from distillgame.arena.run import Run
from distillgame.arena.store import environment
from distillgame.arena.store.bucket import Bucket
from distillgame.arena.store.cache import AT
from distillgame.arena.store.remote import FILES, MANIFESTS
from distillgame.errors import DistillgameError
from distillgame.policies import PolicyChoice
from tests.objects import Objects

from .conftest import RayCluster, kill_node

URL = "s3://games/run"


class Driver:
    """A process that plays a game on the cluster."""

    def __init__(self, folder: Path, cluster: RayCluster, *options: str):
        self.folder = folder
        compute = [f"compute.address={cluster.address}", "compute.engine=ray", *options]
        command = [sys.executable, "-m", "distillgame", "play", str(folder / "game.yaml"), "--out", str(folder / "ray")]
        command += [word for option in compute for word in ("-s", option)]
        self.log = folder / "log"
        environment = {**os.environ, **cluster.environment}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def wait(self) -> None:
        assert self.process.wait(300) == 0, self.log.read_text()

    def wait_for(self, count: int, bucket: Bucket) -> dict[str, str]:
        """Return the finished stages, once there are enough, and where the files of each are."""
        deadline = time.monotonic() + 200
        while len(names := bucket.list(MANIFESTS)) < count:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        return places(bucket, names)


def places(bucket: Bucket, names: list[str]) -> dict[str, str]:
    return {name: json.loads(bucket.read(f"{MANIFESTS}/{name}") or "")[AT] for name in names}


def figures(path: Path) -> Any:
    """Return a run's results but for what depends on the time, the machine and the place."""
    found = json.loads(path.read_text())
    for name in ("command", "config", "hashes"):
        del found[name]
    for row in found["teachers"]:
        del row["time_cost"], row["time_cost_range"]
    return found


@contextmanager
def in_environment(values: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield


def test_a_game_survives_a_node_the_store_and_its_driver(
    tiny: dict[str, Any], cluster: RayCluster, store: Objects, tmp_path: Path
) -> None:
    """Its results are those of worker processes on one machine, and what was finished is not computed again."""
    game = tiny | {"seeds": [0], "policies": ["standard"], "students": ["passive", {"adaptive": {"eta": 2}}]}
    (tmp_path / "game.yaml").write_text(yaml.safe_dump(game))
    play(game, tmp_path / "own", progress=False)
    second = cluster.add(f"--address={cluster.address}")
    with in_environment(store.environment):
        bucket = Bucket(URL)
        driver = Driver(tmp_path, cluster, f"compute.store={URL}")
        early = driver.wait_for(3, bucket)
        kill_node(second)
        early |= driver.wait_for(len(early) + 2, bucket)
        store.kill()
        time.sleep(2)
        store.start()
        assert places(bucket, list(early)) == early
        early |= driver.wait_for(len(early) + 2, bucket)
        os.kill(driver.process.pid, signal.SIGKILL)
        driver.process.wait()
        early |= places(bucket, bucket.list(MANIFESTS))
        Driver(tmp_path, cluster, f"compute.store={URL}").wait()
        late = places(bucket, bucket.list(MANIFESTS))
        assert bucket.read("results.json") == (tmp_path / "ray" / "results.json").read_text()
        assert bucket.list("leases/run") == []
    assert figures(tmp_path / "ray" / "results.json") == figures(tmp_path / "own" / "results.json")
    assert len(early) >= 7
    assert {name: late[name] for name in early} == early
    # What was computed and not yet finished when something died: two deaths, two processors.
    uploads = [path.partition(f"/{FILES}/")[2].split("/") for method, path in store.requests if method == "PUT"]
    attempts = {tuple(parts[:2]) for parts in uploads if len(parts) > 2}
    assert len(late) <= len(attempts) <= len(late) + 4


def test_a_stage_waits_for_a_node_that_is_large_enough_but_not_for_ever(
    tiny: dict[str, Any], cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distillgame.arena.engines.nodes.JOIN_SECONDS", 1.0)
    asked = {"sample": {"cpus": 64}}
    compute = {"engine": "ray", "address": cluster.address, "device": "cpu", "resources": asked}
    config = load_config(tiny, overrides={f"compute.{name}": value for name, value in compute.items()})
    stage = Planner(config).sample(PolicyChoice(name="standard"), "test", 0)
    with (
        in_environment(cluster.environment),
        pytest.raises(DistillgameError) as raised,
        Run(tmp_path / "run", config, progress=False) as run,
    ):
        run.compute([stage])
    assert "takes 64 CPUs, 0 GPUs and" in str(raised.value)
    assert "more than any node of the cluster has (1 CPUs, 0 GPUs" in str(raised.value)
    assert "compute.resources.sample" in str(raised.value)


def test_on_a_gpu_every_stage_has_a_process_of_its_own(cluster: RayCluster) -> None:
    """One that had computed another would hold memory of a GPU which is not its own any more."""
    # A node with other libraries says in which process it found that out.
    order = {"store": None, "root": "/", "environment": environment() | {"python": "3.1.0"}}

    def process(on_gpu: bool) -> str:
        import ray

        outcome = ray.get(remote_function(on_gpu).remote(order, None))
        found = re.search(r"\(process (\d+)\)", outcome["error"])
        assert found is not None
        return found[1]

    with in_environment(cluster.environment), connected(Compute(engine="ray", address=cluster.address)):
        assert len({process(on_gpu=True) for _ in range(2)}) == 2
        assert len({process(on_gpu=False) for _ in range(2)}) == 1
