"""A process that holds one vLLM engine and samples for the process that started it (:mod:`distillgame.vllm.remote`).

It ends when the other end of its connection is closed, by whatever signal the other process ended.
"""

import os
import queue
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from distillgame.errors import DistillgameError
from distillgame.vllm.remote import Answer, Launch, Order

if TYPE_CHECKING:
    from distillgame.decoding import Sample
    from distillgame.vllm.core import VllmCore


def main() -> None:
    """Start the engine that the first message names, and sample what further ones ask for."""
    connection = Connection(int(sys.argv[1]))
    messages: queue.Queue[Launch | Order] = queue.Queue()
    threading.Thread(target=_listen, args=(connection, messages), daemon=True).start()
    launch = messages.get()
    assert isinstance(launch, Launch)
    try:
        core = _start(launch)
    except Exception as error:
        connection.send(_failure(error))
        return
    connection.send(Answer())
    while True:
        order = messages.get()
        assert isinstance(order, Order)
        try:
            connection.send(Answer(places=_sample(core, order, connection)))
        except Exception as error:
            connection.send(_failure(error))


def _listen(connection: Connection, messages: "queue.Queue[Launch | Order]") -> None:
    while True:
        try:
            messages.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)
        except BaseException:  # A message that cannot be read: nobody would hear of it.
            traceback.print_exc()
            os._exit(1)


def _start(launch: Launch) -> "VllmCore":
    # vLLM binds threads to the processors that it may use, and reads them when it is imported.
    if launch.processors:
        os.sched_setaffinity(0, launch.processors)
    from distillgame.models import quiet
    from distillgame.process import multiply_exactly
    from distillgame.vllm.core import VllmCore

    quiet()
    multiply_exactly()
    return VllmCore(launch.teacher, launch.settings, launch.arguments)


def _sample(core: "VllmCore", order: Order, connection: Connection) -> list[int]:
    """Send each sample when it is finished, and return for each request how many were finished before its own."""
    from distillgame.vllm.engine import VllmEngine

    places: dict[int, int] = {}
    core.require_drawing(max([order.params.temperature, *(r.params.temperature for r in order.requests if r.params)]))

    def tell(sample: "Sample") -> None:
        places[id(sample)] = len(places)
        connection.send(Answer(sample))

    samples = VllmEngine(core, order.policy.policy, order.adapter).generate(
        order.requests, order.params, order.seed, tell
    )
    return [places[id(sample)] for sample in samples]


def _failure(error: Exception) -> Answer:
    if isinstance(error, DistillgameError):
        return Answer(error=str(error))
    traceback.print_exc()
    return Answer(error=f"{type(error).__name__}: {' '.join(str(error).split())}", foreseen=False)


if __name__ == "__main__":
    main()
