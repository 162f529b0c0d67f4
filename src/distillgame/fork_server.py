"""A process that has imported PyTorch and transformers once, and forks a worker in milliseconds.

Importing them takes a fresh interpreter seconds. The server (``python -m distillgame.fork_server``) has computed
nothing and has no thread beside its own and one of jemalloc's (by way of PyArrow), which is made for forks, so it may
be forked. Only Linux and the CPU are served: system libraries of macOS do not survive a fork, nor does CUDA where an
import has initialised it; there every worker is a fresh interpreter. The standard library's fork server runs the user's
main script again in each process, which a script without a ``__main__`` guard does not survive, so it is not used.

The server ends when the process that started it ends, by whatever signal, and so do the workers: their input ends.
What a worker forks comes from the same server.
"""

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

AVAILABLE = sys.platform == "linux"
"""True on systems where workers can be forked."""

MODULES = (
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
)
"""The modules that take whatever loads a model seconds to import."""


class ForkedProcess:
    """A worker that the server forked, with the methods of :class:`subprocess.Popen` that a pool uses.

    Attributes:
        pid: Its process id.
        stdin: Its standard input.
        stdout: Its standard output.
    """

    def __init__(self, pid: int, stdin: TextIO, stdout: TextIO, status: TextIO):
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self._status = status
        self._code: int | None = None
        self._waiting = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit status if the process has ended, negative for a signal."""
        if self._code is None and self._waiting.acquire(blocking=False):
            try:
                if select.select([self._status], [], [], 0)[0]:
                    self._read_code()
            finally:
                self._waiting.release()
        return self._code

    def wait(self) -> int:
        """Wait until the process has ended, and return its exit status."""
        with self._waiting:
            return self._read_code()

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # It may end just now.
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process."""
        self.send_signal(signal.SIGKILL)

    def _read_code(self) -> int:
        if self._code is None:
            line = self._status.readline()
            self._code = int(line) if line else -signal.SIGKILL
        return self._code


class ForkServer:
    """A server; it starts when it is first needed and stays until the process that started it ends.

    Args:
        modules: What it imports.
    """

    def __init__(self, modules: Sequence[str] = MODULES):
        self._modules = list(modules)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def preload(self, *modules: str) -> None:
        """Let the server import these too, if it has not started yet: without them, each worker has to."""
        self._modules += modules

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start the server, unless it runs: its imports then run beside the caller's own.

        Args:
            environment: Its environment instead of this process's.
        """
        with self._lock:
            self._connect(environment)

    def fork(self, module: str, environment: Mapping[str, str], log: TextIO) -> ForkedProcess | None:
        """Fork a worker.

        Args:
            module: The module whose ``main()`` it runs.
            environment: Its environment; libraries that read theirs when they are imported have read the server's.
            log: Where its standard error goes.

        Returns:
            The worker, or None if the server died: where it cannot run, workers have to be started without it.
        """
        (stdin, our_stdin), (our_stdout, stdout), (our_status, status) = (os.pipe() for _ in range(3))
        with self._lock, suppress(OSError):  # Of a server that died; then nobody writes the status.
            socket.send_fds(self._connect(environment), [b"."], [stdin, stdout, log.fileno(), status])
        for end in (stdin, stdout, status):
            os.close(end)
        orders, answers, report = os.fdopen(our_stdin, "w"), os.fdopen(our_stdout), os.fdopen(our_status)
        pid = report.readline()
        if not pid:
            for pipe in (orders, answers, report):
                pipe.close()
            return None
        place = {"module": module, "folder": os.getcwd(), "environment": dict(environment)}
        orders.write(json.dumps(place) + "\n")
        orders.flush()
        return ForkedProcess(int(pid), orders, answers, report)

    def adopt(self, connection: socket.socket) -> None:
        """Use the server at the other end of a connection."""
        self._socket = connection

    def _connect(self, environment: Mapping[str, str] | None) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "distillgame.fork_server", *dict.fromkeys(self._modules)],
                    stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
                )  # fmt: skip
            atexit.register(self._close)
        return self._socket

    def _close(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


fork_server = ForkServer()
"""The server of this process."""


def start_worker(
    module: str, environment: Mapping[str, str], log: TextIO, device: str
) -> ForkedProcess | subprocess.Popen[str]:
    """Start a worker: forked where that is safe, otherwise as a fresh interpreter.

    Args:
        module: The module whose ``main()`` it runs.
        environment: Its environment.
        log: Where its standard error goes.
        device: What it computes on, ``cpu`` or ``cuda``.
    """
    forked = fork_server.fork(module, environment, log) if AVAILABLE and device == "cpu" else None
    return forked or subprocess.Popen(
        [sys.executable, "-c", f"from {module} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=environment,
    )


def main() -> None:
    """Fork a worker for each message from standard input, a socket, or from a worker, until the former is closed."""
    # Ctrl-C is for the process that started this one; and who ended is not asked for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.disable()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
    first = socket.socket(fileno=0)
    connections = [first]
    while True:
        for connection in select.select(connections, [], [])[0]:
            try:
                message, descriptors, _, _ = socket.recv_fds(connection, 1, 4)
            except ConnectionResetError:  # Of a worker that was killed.
                message, descriptors = b"", []
            if message:
                connections.append(_fork(connections, descriptors))
            elif connection is first:
                os._exit(0)
            else:
                connections.remove(connection)
                connection.close()


def _fork(connections: Sequence[socket.socket], descriptors: Sequence[int]) -> socket.socket:
    """Fork a worker, and return the connection by which it may ask for others."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for connection in (*connections, ours):
            connection.close()
        _keep(descriptors, theirs)
    theirs.close()
    for descriptor in descriptors:
        os.close(descriptor)
    return ours


def _keep(descriptors: Sequence[int], server: socket.socket) -> None:
    """Fork the worker, and report its process id and its exit status when it ends: only a parent gets to know it."""
    *standard, status = descriptors
    worker = os.fork()
    if worker == 0:
        os.close(status)
        _work(standard, server)
    # A descriptor that stayed open here would hide the end of the worker or of the server.
    server.close()
    for descriptor in standard:
        os.close(descriptor)
    os.write(status, f"{worker}\n".encode())
    _, code = os.waitpid(worker, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(code)}\n".encode())
    os._exit(0)


def _work(standard: Sequence[int], server: socket.socket) -> None:
    """Become a worker as if it had been started anew."""
    try:
        for target, descriptor in enumerate(standard):
            os.dup2(descriptor, target)
            os.close(descriptor)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # By single bytes: what follows the line is the worker's.
        with open(0, "rb", buffering=0, closefd=False) as orders:
            place = json.loads(orders.readline())
        os.chdir(place["folder"])
        sys.path[0] = place["folder"]
        os.environ.clear()
        os.environ.update(place["environment"])
        # This module runs as a script here; the worker's own is another.
        importlib.import_module("distillgame.fork_server").fork_server.adopt(server)
        importlib.import_module(place["module"]).main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
