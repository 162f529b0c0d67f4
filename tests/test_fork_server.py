import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distillgame.arena.engines.pool import ENVIRONMENT
from distillgame.fork_server import AVAILABLE, ForkServer, fork_server

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="workers are forked on Linux")

HOLD = """
import os, sys, time
from distillgame.fork_server import ForkServer
server = ForkServer([])
print(server.fork("distillgame.arena.engines.worker", os.environ, sys.stderr).pid, server._process.pid, flush=True)
time.sleep(600)
"""


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_ends_with_its_input_or_by_a_signal(tmp_path: Path) -> None:
    server = ForkServer([])
    with (tmp_path / "log").open("w") as log:
        first, second = (
            server.fork("distillgame.arena.engines.worker", os.environ | ENVIRONMENT, log) for _ in range(2)
        )
    assert first is not None
    assert second is not None
    assert first.pid != second.pid
    assert (first.poll(), second.poll()) == (None, None)
    first.stdin.close()
    assert (first.wait(), first.poll()) == (0, 0)
    second.send_signal(signal.SIGTERM)
    assert second.wait() == -signal.SIGTERM
    second.kill()  # of no effect on whoever has its number now


def test_a_worker_has_the_environment_and_the_folder_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "log").open("w") as log:
        worker = fork_server.fork(
            "distillgame.arena.engines.worker", os.environ | ENVIRONMENT | {"DISTILLGAME_TEST": "new"}, log
        )
        assert worker is not None
        worker.stdin.write('{"root": "nowhere"}\n')  # an order that lacks its stage
        worker.stdin.flush()
        assert '"error": "KeyError' in worker.stdout.readline()
    assert "Traceback" in (tmp_path / "log").read_text()
    assert Path(f"/proc/{worker.pid}/cwd").resolve() == tmp_path
    worker.kill()


def test_the_server_has_no_threads_that_a_fork_would_break(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        worker = fork_server.fork("distillgame.arena.engines.worker", os.environ | ENVIRONMENT, log)
    assert worker is not None
    worker.kill()
    assert fork_server._process is not None
    threads = Path(f"/proc/{fork_server._process.pid}/task").iterdir()
    names = [(thread / "comm").read_text().strip() for thread in threads]
    assert len([name for name in names if name != "jemalloc_bg_thd"]) == 1


def test_nothing_outlives_a_main_process_that_is_killed() -> None:
    main = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert main.stdout is not None
    pids = [int(word) for word in main.stdout.readline().split()]
    assert all(running(pid) for pid in pids)
    main.kill()
    main.wait()
    deadline = time.monotonic() + 30
    while any(running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_a_worker_forks_comes_from_the_same_server(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        workers = [fork_server.fork("tests.nested", os.environ, log) for _ in range(2)]
    for worker in workers:
        assert worker is not None
        assert worker.stdout.readline() == "hello\n", (tmp_path / "log").read_text()
        worker.stdin.close()
        assert worker.wait() == 3


def test_there_is_no_worker_once_the_server_has_died(tmp_path: Path) -> None:
    server = ForkServer([])
    with (tmp_path / "log").open("w") as log:
        worker = server.fork("distillgame.arena.engines.worker", os.environ | ENVIRONMENT, log)
        assert worker is not None
        assert server._process is not None
        server._process.kill()
        server._process.wait()
        assert server.fork("distillgame.arena.engines.worker", os.environ | ENVIRONMENT, log) is None
    worker.kill()
    assert worker.wait() == -signal.SIGKILL
