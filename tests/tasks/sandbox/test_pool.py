import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks.sandbox import CallFailedError, OverLimitError, Sandbox

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
HOSTILE = r"\boxed{9^{9^{9^{9}}}}"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(2)
    yield made
    made.close()


def test_a_call_returns_its_value(sandbox: Sandbox) -> None:
    assert sandbox.call("operator:add", 2, 3, limit=5).value == 5


def test_startup_and_import_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\n\ntime.sleep(2)\n\n\ndef one():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    sandbox = Sandbox(1)
    try:
        reply = sandbox.call("slow_to_import:one", limit=1.5)
    finally:
        sandbox.close()
    assert reply.value == 1
    assert reply.seconds < 1.5


def test_workers_persist(sandbox: Sandbox) -> None:
    assert sandbox.call("os:getpid", limit=5).value == sandbox.call("os:getpid", limit=5).value


def test_a_worker_over_the_limit_is_replaced(sandbox: Sandbox) -> None:
    first = sandbox.call("os:getpid", limit=5).value
    with pytest.raises(OverLimitError):
        sandbox.call("time:sleep", 30, limit=0.2)
    assert sandbox.call("os:getpid", limit=5).value != first


@pytest.mark.parametrize("call", [("os:abort",), ("os:_exit", 0)])
def test_a_worker_that_crashes_is_replaced(sandbox: Sandbox, call: tuple[str, ...]) -> None:
    with pytest.raises(OverLimitError):
        sandbox.call(*call, limit=5)
    assert sandbox.call("operator:add", 1, 1, limit=5).value == 2


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_memory_is_limited(sandbox: Sandbox) -> None:
    with pytest.raises(OverLimitError):
        sandbox.call("operator:mul", "x", 2**34, limit=20)


def test_a_worker_that_died_while_idle_is_replaced(sandbox: Sandbox) -> None:
    os.kill(sandbox.call("os:getpid", limit=5).value, signal.SIGTERM)
    time.sleep(0.2)
    assert sandbox.call("operator:add", 1, 1, limit=5).value == 2


def test_an_exception_is_reported(sandbox: Sandbox) -> None:
    with pytest.raises(CallFailedError, match="ZeroDivisionError"):
        sandbox.call("operator:truediv", 1, 0, limit=5)


def test_a_missing_module_is_reported(sandbox: Sandbox) -> None:
    with pytest.raises(DistillgameError, match="no_such_module"):
        sandbox.call("no_such_module:name", limit=5)


def test_what_a_library_prints_does_no_harm(sandbox: Sandbox) -> None:
    sandbox.call("builtins:print", "hello", limit=5)
    assert sandbox.call("operator:add", 1, 1, limit=5).value == 2


def test_more_threads_than_workers(sandbox: Sandbox) -> None:
    values: list[int] = []

    def work(number: int) -> None:
        values.append(sandbox.call("operator:add", number, number, limit=5).value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values) == list(range(0, 16, 2))


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_script_without_a_main_guard_can_grade(tmp_path: Path) -> None:
    done = _run(
        "from distillgame.tasks import grade\nprint(grade(r'\\boxed{x+1}', '1+x').correct)\n",
        tmp_path,
    )
    assert done.stdout.split() == ["True"], done.stderr


def test_the_tasks_import_nothing_heavy(tmp_path: Path) -> None:
    heavy = "{'torch', 'transformers', 'sympy', 'datasets', 'reasoning_gym', 'pyarrow', 'numpy'}"
    done = _run(f"import sys\nimport distillgame.tasks\nprint({heavy} & set(sys.modules))\n", tmp_path)
    assert done.stdout.strip() == "set()", done.stderr


def test_the_current_folder_does_not_shadow_modules(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "json.py").write_text("raise RuntimeError", encoding="utf-8")
    done = _run(
        f"import os\nfrom distillgame.tasks import grade\nos.chdir({str(other)!r})\n"
        "print(grade(r'\\boxed{x+1}', '1+x').correct)\n",
        tmp_path,
    )
    assert done.stdout.split() == ["True"], done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_grades_with_workers_of_its_own(tmp_path: Path) -> None:
    done = _run(
        "import os\nfrom distillgame.tasks import grade\n"
        "def right():\n    return grade(r'\\boxed{x+1}', '1+x').correct\n"
        "assert right()\nchild = os.fork()\nassert right()\n"
        "if child:\n    print(os.waitpid(child, 0)[1], right())\n",
        tmp_path,
    )
    assert done.stdout.split() == ["0", "True"], done.stderr


def _workers_of(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(folder.name))
    return found


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("completion", [HOSTILE, r"\boxed{x+1}"], ids=["busy", "idle"])
def test_no_worker_outlives_a_killed_parent(completion: str, tmp_path: Path) -> None:
    code = (
        "import time\nfrom distillgame.tasks import grade\n"
        f"grade(r'\\boxed{{x}}', 'x+0')\nprint('ready', flush=True)\n"
        f"grade({completion!r}, '1+x', time_limit=3)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().strip() == "ready"
    time.sleep(0.5)
    workers = _workers_of(parent.pid)
    assert workers
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 8
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_runs, workers))


def test_workers_end_with_their_process(tmp_path: Path) -> None:
    done = _run(
        "from distillgame.tasks.sandbox import sandbox\nprint(sandbox.call('os:getpid', limit=5).value)\n",
        tmp_path,
    )
    assert not _runs(int(done.stdout))
