"""Logs and metrics of a server: one JSON object per log line, without prompts, completions or keys."""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

logger = logging.getLogger("distillgame.gateway")

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Upper bounds of the histograms' buckets."""


class JsonLines(logging.Formatter):
    """Formats a record and its ``facts`` as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"time": stamp, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0] is not None:
            # The place of the error, but not its message, which may hold what a client has sent.
            line["error"] = record.exc_info[0].__name__
            line["at"] = _place(record.exc_info[2])
        return json.dumps(line, ensure_ascii=True, default=str)


def set_up_logs() -> None:
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


class Metrics:
    """Prometheus metrics of one server.

    Args:
        load: Returns the number of completions in the backend, and its limit.
    """

    def __init__(self, load: Callable[[], tuple[int, int]]):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "distillgame_requests",
            "Requests by outcome",
            ["endpoint", "outcome"],
            registry=self.registry,
        )
        self.refusals = Counter("distillgame_refusals", "Refused requests by code", ["code"], registry=self.registry)
        self.tokens = Counter("distillgame_tokens", "Released tokens", ["policy"], registry=self.registry)
        self.marked = Counter(
            "distillgame_marked_tokens",
            "Released tokens of completions that carry a mark",
            ["policy"],
            registry=self.registry,
        )
        self.kl = Counter("distillgame_kl_nats", "KL(pi_rel||pi_ref) spent", ["policy"], registry=self.registry)
        self.value = Counter("distillgame_value_nats", "Value released", ["policy"], registry=self.registry)
        self.rewriting = Counter(
            "distillgame_rewriting_tokens",
            "Tokens that rewriters read and wrote",
            ["policy", "direction"],
            registry=self.registry,
        )
        self.flagged = Counter("distillgame_flagged", "Windows flagged by the monitor", registry=self.registry)
        self.first = Histogram(
            "distillgame_first_piece_seconds", "Until the first piece", buckets=SECONDS, registry=self.registry
        )
        self.whole = Histogram("distillgame_request_seconds", "Until the end", buckets=SECONDS, registry=self.registry)
        running = Gauge("distillgame_running", "Completions sampled or waiting", registry=self.registry)
        running.set_function(lambda: load()[0])
        most = Gauge("distillgame_running_limit", "How many there may be", registry=self.registry)
        most.set_function(lambda: load()[1])

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


def _place(traceback: Any) -> str:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
