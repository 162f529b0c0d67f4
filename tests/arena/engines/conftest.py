"""A Ray cluster of this machine alone: real nodes, each a tree of processes with resources of its own."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.objects import Objects, objects

RAY = [
    str(Path(sys.executable).with_name("ray")),
    "start",
    "--block",
    "--num-cpus=1",
    "--object-store-memory=100000000",
]
# Two nodes of one machine must not choose from the same range.
PORTS = ["--min-worker-port=0", "--max-worker-port=0"]

TOKEN = secrets.token_hex(16)
"""The token of all clusters: a process keeps the first that it has read."""


@dataclass
class RayCluster:
    """A cluster whose head has one processor.

    Attributes:
        address: Where drivers find it.
        environment: What drivers and nodes need in theirs: a token of its own, and the object store's keys.
    """

    address: str
    environment: dict[str, str]
    folder: Path
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a node, with one processor, and return its tree's root."""
        with (self.folder / f"node-{len(self.nodes)}.log").open("w") as log:
            own = {**os.environ, **self.environment, "TMPDIR": str(self.folder)}
            node = subprocess.Popen([*RAY, *PORTS, *options], stdout=log, stderr=log, env=own, start_new_session=True)
        self.nodes.append(node)
        deadline = time.monotonic() + 60
        while "Ray runtime started" not in Path(log.name).read_text():
            assert node.poll() is None, Path(log.name).read_text()
            assert time.monotonic() < deadline, Path(log.name).read_text()
            time.sleep(0.1)
        return node


def kill_node(node: subprocess.Popen[bytes]) -> None:
    """End all processes of a node at once."""
    with suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    with objects(tmp_path_factory.mktemp("objects") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def cluster(store: Objects) -> Iterator[RayCluster]:
    # Paths of sockets have a bound, which pytest's folders exceed.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
        # By default a node that died counts as alive for ten seconds more.
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
        "DISTILLGAME_CACHE": str(folder / "cache"),
        **store.environment,
    }
    running = RayCluster(f"127.0.0.1:{port}", environment, folder)
    try:
        running.add("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}")
        yield running
    finally:
        for node in reversed(running.nodes):
            kill_node(node)
        shutil.rmtree(folder, ignore_errors=True)
