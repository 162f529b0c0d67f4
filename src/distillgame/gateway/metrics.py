"""What Prometheus reads."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Counters of one server.

    Args:
        load: Completions in the backend, and how many there may be.
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
        self.kl = Counter("distillgame_kl_nats", "KL(pi_rel||pi_ref) spent", ["policy"], registry=self.registry)
        self.value = Counter("distillgame_value_nats", "Value released", ["policy"], registry=self.registry)
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
        """The text format."""
        return generate_latest(self.registry)
