"""A job on the node that it has to itself: Ray's worker starts a process for it, which has the node's threads.

The process reads its order as a line of JSON from its standard input, and ends when its input ends, so that it does not
outlive Ray's worker, which Ray ends with the command. It answers on its standard output, a line of JSON each.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distillgame.arena.engines.engine import Message, death
from distillgame.arena.store import require_same
from distillgame.errors import DistillgameError

THREADS = "OMP_NUM_THREADS"
"""The variable that Ray sets for its workers, unless the node was started with it."""

Files = dict[str, bytes]
"""The content of a folder's files, by name."""


def run_here(module: str, order: Mapping[str, Any], files: Files) -> Iterator[Message]:
    """Run a module's ``main()`` in a process of this node.

    Args:
        module: The module.
        order: What it is to do.
        files: What an earlier attempt has left.

    Yields:
        What it says: any number of ``said``, then ``done``, or ``error`` with a ``traceback``; and ``files`` that it
        has written since, None for those that it has deleted.
    """
    with tempfile.TemporaryDirectory(prefix="distillgame-") as folder, _process(module, folder) as process:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # Its exit status says more.
            process.stdin.write(json.dumps({**order, "out": folder}) + "\n")
            process.stdin.flush()
        sent = files
        message: Message = {"said": ""}
        for line in process.stdout:
            message, now = json.loads(line), _content(Path(folder))
            changed = {name: now.get(name) for name in sent | now if sent.get(name) != now.get(name)}
            sent = now
            message["files"] = changed
            if "said" in message:
                yield message
        if "said" in message:
            message = {"error": f"{death(process.wait())} (on node {platform.node()})"}
    yield message  # Ray ends this process once its last word is heard, so the folder has to be gone.


def answer(work: Callable[[Mapping[str, Any], Callable[[str], None]], None]) -> None:
    """Do in this process what the order asks for, and say how that ended.

    Args:
        work: Gets the order and what it tells of each step. The order says in which ``environment`` it was given;
            this one has to be the same.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # Libraries print.
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, args=(order["out"],), daemon=True).start()

    def say(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")

    node = platform.node()
    try:
        require_same(order["environment"])
        say(said=f"on node {node}")
        work(order, lambda text: say(said=text))
    except DistillgameError as error:
        say(error=f"{error} (on node {node})")
    except Exception as error:
        said = " ".join(str(error).split())
        say(error=f"{type(error).__name__}: {said} (on node {node})", traceback=traceback.format_exc())
    else:
        say(done=True)


@contextmanager
def _process(module: str, folder: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module's ``main()`` until the block ends; its temporary files are in ``folder`` as well."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {module} import main; main()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment() | {"TMPDIR": folder},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Return the environment of this process, with the threads that the node was started with.

    Ray's daemon, which started this process, has the node's own environment.
    """
    started: list[bytes] = []
    with suppress(OSError):  # Not every system says.
        started = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
    own = any(variable.startswith(f"{THREADS}=".encode()) for variable in started)
    return {name: value for name, value in os.environ.items() if own or name != THREADS}


def _content(folder: Path) -> Files:
    """Return the files of a folder that are whole."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".partial"}


def _end_with_input(folder: str) -> None:
    while os.read(0, 4096):
        pass
    shutil.rmtree(folder, ignore_errors=True)  # Whoever made it is gone.
    os._exit(0)
