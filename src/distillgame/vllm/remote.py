"""vLLM in a process of its own, which samples lists of requests for this one."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from distillgame.decoding import Request, Sample, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec
from distillgame.policies import PolicyChoice
from distillgame.vllm.settings import DefenseSettings

MODULE = "distillgame.vllm.process"
"""The module that the process runs; its argument is the descriptor of its end of the connection."""


@dataclass(frozen=True)
class Launch:
    """The first message to the process: the engine that it starts.

    Attributes:
        teacher: The reference teacher, a folder or a hub name.
        settings: The proxies, and the policy of requests that name none.
        arguments: Further arguments of vLLM's engine, by the names of its flags.
        processors: Numbers of the processors it may use; all of this process's if empty.
    """

    teacher: ModelSpec
    settings: DefenseSettings
    arguments: Mapping[str, Any] = field(default_factory=dict)
    processors: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Order:
    """Any further message: requests that it samples.

    Attributes:
        policy: The release policy.
        requests: The requests.
        params: Sampling parameters of requests without their own.
        seed: Seed of every request's random stream.
        adapter: The folder of an adapter of the teacher's; None without one.
    """

    policy: PolicyChoice
    requests: Sequence[Request]
    params: SamplingParams
    seed: int
    adapter: str | None = None


@dataclass(frozen=True)
class Answer:
    """A message from the process.

    Attributes:
        sample: A finished sample; None in the last message of an answer.
        places: In the last, for each request the place of its sample among those that were sent.
        error: The reason why there are no more; empty if nothing failed.
        foreseen: Whether the reason is one for users, and the process can go on.
    """

    sample: Sample | None = None
    places: Sequence[int] = ()
    error: str = ""
    foreseen: bool = True


class VllmProcess:
    """A process with one vLLM engine, which is started here and ends with this object, or with this process.

    Args:
        launch: The engine.

    Raises:
        DistillgameError: If vLLM is not installed, or refuses the models or the arguments.
    """

    def __init__(self, launch: Launch):
        self.launch = launch
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=[theirs.fileno()], env=_environment(),
            )  # fmt: skip
        self._connection = Connection(ours.detach())
        try:
            self._send(launch)
            self._receive()
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """True if the process runs and can be asked."""
        return not self._connection.closed and self._process.poll() is None

    def generate(self, order: Order, on_sample: Callable[[Sample], None] | None = None) -> list[Sample]:
        """Sample one completion for each request of an order, in their order.

        Args:
            order: The requests.
            on_sample: Called with each sample when it is finished.

        Raises:
            DistillgameError: If a request cannot be sampled, or vLLM failed.
        """
        found: list[Sample] = []
        try:
            self._send(order)
            while (answer := self._receive()).sample is not None:
                found.append(answer.sample)
                if on_sample is not None:
                    on_sample(answer.sample)
        except BaseException:
            # What is left of its answer would be taken for that to the next order.
            self.close()
            raise
        return [found[place] for place in answer.places]

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def _send(self, message: Launch | Order) -> None:
        with suppress(OSError):  # Of a process that died: its silence is noticed below.
            self._connection.send(message)

    def _receive(self) -> Answer:
        try:
            answer: Answer = self._connection.recv()
        except (EOFError, OSError) as error:
            code = self._process.wait()
            reason = f"signal {-code}, perhaps out of memory" if code < 0 else f"exit status {code}"
            raise DistillgameError(f"vLLM's process died ({reason})") from error
        if answer.error:
            raise DistillgameError(answer.error) if answer.foreseen else RuntimeError(answer.error)
        return answer


@dataclass(frozen=True)
class RemoteEngine:
    """Samples under one policy in a process with vLLM, as :class:`distillgame.decoding.Engine` does in this one.

    Args:
        process: The process.
        policy: The release policy.
        adapter: The folder of an adapter of the teacher's; None without one.
    """

    process: VllmProcess
    policy: PolicyChoice
    adapter: str | None = None

    def generate(
        self,
        requests: Iterable[Request],
        params: SamplingParams,
        seed: int = 0,
        on_sample: Callable[[Sample], None] | None = None,
    ) -> list[Sample]:
        """Sample one completion for each request (:meth:`distillgame.decoding.Sampler.generate`).

        Raises:
            DistillgameError: If a request cannot be sampled, or vLLM failed.
        """
        return self.process.generate(Order(self.policy, list(requests), params, seed, self.adapter), on_sample)


def _environment() -> dict[str, str]:
    """Return this process's environment without the limit on threads that is meant for workers of small networks."""
    return {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
