"""The services of one server, opened when it starts and closed when it stops."""

from dataclasses import dataclass

from starlette.requests import Request

from distillgame.errors import DistillgameError
from distillgame.gateway.access import Admission, Authentication, FlaggedOwners, Monitor, Secrets, read_reference
from distillgame.gateway.api import MOST_COMPLETIONS, ApiRequest
from distillgame.gateway.backends import Backend, LocalBackend, UpstreamBackend
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.errors import ApiError, overloaded
from distillgame.gateway.exchange import Exchange, Rewritings
from distillgame.gateway.ledger import Key, Ledger, RefusalCounter, Writer, open_database
from distillgame.gateway.telemetry import Metrics


@dataclass
class Services:
    """The services that the routes share.

    Attributes:
        config: The owner's configuration.
        writer: Reads and writes the database.
        backend: Samples completions.
        metrics: Counts requests and releases.
        authentication: Finds the keys of requests.
        flagged: Owners whose queries look like harvesting.
        admission: Admits requests.
        refusals: Counts refused requests.
        rewritings: Have completions written anew.
    """

    config: ServeConfig
    writer: Writer
    backend: Backend
    metrics: Metrics
    authentication: Authentication
    flagged: FlaggedOwners
    admission: Admission
    refusals: RefusalCounter
    rewritings: Rewritings

    async def open_exchange(self, key: Key, request: ApiRequest, request_id: str, started: float) -> Exchange:
        """Admit a request.

        Args:
            key: The key of the request.
            request: The request.
            request_id: Its id.
            started: Time of its arrival, by the monotonic clock.

        Raises:
            ApiError: If it is refused, or too much is running.
        """
        running, limit = self.backend.load()
        most = min(limit, MOST_COMPLETIONS)
        if request.completions > most:
            raise ApiError(
                400, f"at most {most} completions of a request are served", code="too_many_choices", param="n"
            )
        if running + request.completions > limit:
            raise overloaded("the queue is full")
        grant = await self.admission.admit(key, request, request_id)
        rewriting = self.rewritings.of(grant.policy.name)
        return Exchange(self.config, self.backend, self.metrics, grant, request, request_id, started, rewriting)

    async def close(self) -> None:
        """Stop sampling, then write what is left to write."""
        await self.backend.close()
        await self.rewritings.close()
        self.flagged.close()
        self.writer.close()


def services_of(request: Request) -> Services:
    """Return the services of the server that received a request."""
    services: Services = request.app.state.services
    return services


def open_services(config: ServeConfig) -> Services:
    """Open the database and build all services.

    Raises:
        DistillgameError: If the database cannot be reached or the monitor's reference cannot be read.
    """
    reference = config.monitor.reference
    monitor = None
    if reference is not None:
        monitor = Monitor(read_reference(reference), config.monitor.window, config.monitor.false_alarm)
    writer = Writer(open_database(config.ledger))
    try:
        secrets = writer.submit(Secrets.of).result()
    except Exception as error:
        writer.close()
        raise DistillgameError(f"ledger: cannot be written: {type(error).__name__}") from error
    backend: Backend = LocalBackend(config) if config.upstream is None else UpstreamBackend(config, config.upstream)
    metrics = Metrics(backend.load)
    flagged = FlaggedOwners(writer, monitor, metrics)
    rewritings = Rewritings(config, metrics)
    return Services(
        config=config,
        writer=writer,
        backend=backend,
        metrics=metrics,
        authentication=Authentication(writer, config.tiers),
        flagged=flagged,
        admission=Admission(config, Ledger(writer), flagged, secrets),
        refusals=RefusalCounter(writer),
        rewritings=rewritings,
    )
