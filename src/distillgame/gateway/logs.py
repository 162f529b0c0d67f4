"""Structured logs: a JSON object a line, without prompts, completions or keys."""

import json
import logging
import sys
import time
from typing import Any

logger = logging.getLogger("distillgame.gateway")


class JsonLines(logging.Formatter):
    """Formats a record with its ``facts`` as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"time": stamp, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0] is not None:
            # Where it happened, but not the message, which may hold what a client has sent.
            line["error"] = record.exc_info[0].__name__
            line["at"] = _place(record.exc_info[2])
        return json.dumps(line, ensure_ascii=True, default=str)


def set_up() -> None:
    """Send the logs of the server and of uvicorn to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (logger.name, "uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).handlers = [handler]
        logging.getLogger(name).propagate = False
    logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def log(event: str, level: int = logging.INFO, **facts: Any) -> None:
    """Write one line."""
    logger.log(level, event, extra={"facts": {name: fact for name, fact in facts.items() if fact is not None}})


def _place(traceback: Any) -> str:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
