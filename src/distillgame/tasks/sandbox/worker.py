"""A worker process: it reads calls from standard input, one JSON object per line, and answers on standard output.

Each call is answered by two lines: one when the function's module is imported (from then on the time counts), and one
with the result. The worker ends with its input. While it computes, a thread that needs no interpreter ends it shortly
after the call's time limit, so that it does not outlive a killed parent.
"""

import faulthandler
import importlib
import json
import os
import signal
import sys
from typing import IO, Any

_MEMORY = 4 * 2**30
_GRACE = 1.0


def main() -> None:
    """Answer calls until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    # The output of libraries must not mix with the replies.
    os.dup2(nowhere.fileno(), sys.stdout.fileno())
    for line in sys.stdin.buffer:
        request = json.loads(line)
        module, _, name = request["function"].partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except Exception as error:
            _reply(replies, {"error": f"{type(error).__name__}: {error}"})
            continue
        _reply(replies, {"ready": True})
        faulthandler.dump_traceback_later(request["limit"] + _GRACE, exit=True, file=nowhere)
        try:
            answer = {"value": function(*request["arguments"])}
        except MemoryError:
            os._exit(1)
        except Exception as error:
            answer = {"raised": f"{type(error).__name__}: {error}"[:500]}
        faulthandler.cancel_dump_traceback_later()
        _reply(replies, answer)


def _reply(replies: IO[str], answer: dict[str, Any]) -> None:
    replies.write(json.dumps(answer) + "\n")
    replies.flush()


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    except (ImportError, ValueError, OSError):
        return


if __name__ == "__main__":
    main()
