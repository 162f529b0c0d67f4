"""Jobs that have a node of a real Ray cluster to themselves, and the bench as one of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from distillgame.arena.bench import anywhere
from distillgame.arena.bench.anywhere import bench_on_cluster
from distillgame.arena.bench.cases import CASES
from distillgame.arena.bench.machine import machine
from distillgame.arena.config import Compute
from distillgame.arena.engines.apart import run_apart
from distillgame.arena.engines.cluster import connected
from distillgame.arena.store import environment
from distillgame.errors import DistillgameError
from distillgame.models import DeviceName

from .conftest import RayCluster, kill_node

MODULE = "tests.arena.engines.lodger"

DRIVER = """
import sys
from pathlib import Path
from distillgame.arena.config import Compute
from distillgame.arena.engines.apart import run_apart
from distillgame.arena.engines.cluster import connected
from distillgame.arena.store import environment
with connected(Compute(engine="ray", address=sys.argv[1])):
    order = {"environment": environment()}
    run_apart("job", sys.argv[2], order, Path(sys.argv[3]), "*.parts.json", False, lambda text: print(text, flush=True))
"""


@pytest.fixture(autouse=True, scope="module")
def _connected(cluster: RayCluster) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        with connected(Compute(engine="ray", address=cluster.address)):
            yield


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = ""
    with suppress(OSError):  # It went just now.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state in ("", "Z")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_job_that_loses_its_node_goes_on_elsewhere_with_the_threads_of_that_node(
    cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node is started without a number of threads, and Ray gives its workers one; the other is started with one.

    It is taken first because it has a GPU, by what Ray is told: of equal nodes that one would not be taken whole.
    """
    monkeypatch.delenv("OMP_NUM_THREADS")
    richest = cluster.add(f"--address={cluster.address}", "--num-gpus=1")
    count = [sys.executable, "-c", "import torch; print(torch.get_num_threads())"]
    plain = int(subprocess.run(count, capture_output=True, text=True, check=True).stdout)
    pids: list[int] = []

    def hear(text: str) -> None:
        if text.startswith("process"):
            pids.append(int(text.split()[1]))
            if len(pids) == 1:
                assert json.loads((tmp_path / "job.parts.json").read_text()) == [plain]
                kill_node(richest)

    outcome = run_apart("job", MODULE, {"environment": environment()}, tmp_path, "*.parts.json", False, hear)
    assert outcome == {"done": True}
    assert json.loads((tmp_path / "job.json").read_text()) == [plain, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]
    wait_until(lambda: all(map(is_gone, pids)))


def test_a_job_ends_with_the_command_that_asked_for_it(cluster: RayCluster, tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER, cluster.address, MODULE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        pid = next(int(line.split()[1]) for line in driver.stdout if line.startswith("process"))
        assert not is_gone(pid)
        driver.send_signal(signal.SIGKILL)
    wait_until(lambda: is_gone(pid))
    assert json.loads((tmp_path / "job.parts.json").read_text()) == [1]


def test_a_job_does_not_outlive_rays_worker(tmp_path: Path) -> None:
    """Not even one that was killed; Ray itself ends what a worker started when it can."""
    code = "import sys; from distillgame.arena.engines.apart_process import run_here\n"
    code += "for message in run_here(sys.argv[1], eval(sys.argv[2]), {}): print(message.get('said'), flush=True)"
    order = {"environment": environment()}
    command = [sys.executable, "-c", code, MODULE, repr(order)]
    places = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=places) as worker:
        assert worker.stdout is not None
        pid = next(int(line.split()[1]) for line in worker.stdout if line.startswith("process"))
        assert not is_gone(pid)
        worker.kill()
    wait_until(lambda: is_gone(pid))
    assert list(tmp_path.iterdir()) == []


def test_a_bench_on_a_node_brings_its_files_back(
    cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anywhere, "MODULE", "tests.arena.bench.tiny")
    told: list[str] = []
    before = set(cluster.folder.glob("distillgame-*"))
    bench_on_cluster(cluster.address, tmp_path / "bench", "distillgame", True, "auto", told.append)
    found = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert len(found["rows"]) == 2 * len(CASES)
    assert found["machine"] == machine("cpu")
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {".lock", "bench.json", "bench.md", "bench.png"}
    assert "ads low rank" in (tmp_path / "bench" / "bench.md").read_text()
    assert (tmp_path / "bench" / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert set(cluster.folder.glob("distillgame-*")) == before
    assert told[:2] == ["waiting for a node", f"on node {environment()['node']}"]
    assert "embedded, batch 1, passes" in told


def test_a_bench_that_fails_or_finds_no_node_is_one_line(
    cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(device: DeviceName) -> str:
        with pytest.raises(DistillgameError) as raised:
            bench_on_cluster(cluster.address, tmp_path, "distillgame", True, device, lambda text: None)
        return str(raised.value)

    monkeypatch.setattr("distillgame.arena.engines.nodes.JOIN_SECONDS", 1.0)
    said = run("cuda")
    assert said.startswith("bench takes all CPUs, 1 GPUs and 1.5 GB of memory, more than any node of the cluster has")
    assert said.endswith("start a larger node")
    other = environment() | {"python": "3.1.0"}
    monkeypatch.setattr(anywhere, "environment", lambda: other)
    said = run("cpu")
    assert said.startswith("bench: node ")
    assert "may not share the run of node" in said
    assert "3.1.0 there" in said
