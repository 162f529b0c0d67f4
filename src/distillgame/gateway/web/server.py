"""The life of a server, from its start until it is told to stop."""

import asyncio
import logging
import math
import signal
import socket

import uvicorn
from fastapi import FastAPI

from distillgame.errors import DistillgameError
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.telemetry import log, set_up_logs
from distillgame.gateway.web.app import make_app
from distillgame.gateway.web.protocol import PatientProtocol
from distillgame.gateway.web.services import Services, open_services

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals that tell the server to stop."""


class _Server(uvicorn.Server):
    """A uvicorn server that logs its address."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and log the address."""
        await super().startup(sockets)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            log("serving", host=address[0], port=address[1], tls=self.config.is_ssl)


def serve(config: ServeConfig) -> None:
    """Serve until SIGINT or SIGTERM, then give running requests time to finish.

    Raises:
        DistillgameError: If a model, the database, the upstream or the address is not available.
    """
    set_up_logs()
    _warn(config)
    _claim(config)
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(_serve(config))


async def _serve(config: ServeConfig) -> None:
    services = open_services(config)
    try:
        if await _started(services):
            await _run(services)
    finally:
        await services.close()


async def _started(services: Services) -> bool:
    """Get the backend ready, which may take minutes; return False if the server was told to stop meanwhile."""
    starting = asyncio.ensure_future(services.backend.start())
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, starting.cancel)
    try:
        await asyncio.wait({starting})
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            # Uvicorn raises the signal again after it has stopped, but stopping on request is not a failure.
            signal.signal(number, lambda *_: None)
    if starting.cancelled():
        return False
    starting.result()
    return True


async def _run(services: Services) -> None:
    """Serve until told to stop, or until the backend has failed for good.

    Raises:
        DistillgameError: If the backend has failed; a supervisor may start the process again.
    """
    server = _Server(_settings(services.config, make_app(services)))
    serving, failing = asyncio.ensure_future(server.serve()), asyncio.ensure_future(services.backend.failed())
    await asyncio.wait({serving, failing}, return_when=asyncio.FIRST_COMPLETED)
    failed = failing.done()
    failing.cancel()
    server.should_exit |= failed
    await serving
    if failed:
        raise DistillgameError("the engine's process is gone: see what the log says before, and start the server again")


def _settings(config: ServeConfig, app: FastAPI) -> uvicorn.Config:
    settings = config.server
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        http=PatientProtocol,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def _claim(config: ServeConfig) -> None:
    """Check that the address is free before models are loaded."""
    family = socket.AF_INET6 if ":" in config.server.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((config.server.host, config.server.port))
    except OSError as error:
        where = f"{config.server.host}:{config.server.port}"
        raise DistillgameError(f"{where}: {error.strerror or error}: choose another --host or --port") from error


def _warn(config: ServeConfig) -> None:
    for name in config.policies:
        policy = config.served(name)
        if policy.defended and policy.logprobs is not None:
            log(
                "warning", logging.WARNING, policy=name, text="released log-probabilities let a client undo the defense"
            )
    if config.upstream is not None and not config.upstream.measured:
        log(
            "warning",
            logging.WARNING,
            text=f"the defense is the upstream's: nothing here sees whether it heeds '{config.upstream.argument}'",
        )
    local = config.server.host in ("127.0.0.1", "localhost", "::1")
    if not local and config.server.tls_cert is None:
        log(
            "warning",
            logging.WARNING,
            text="keys travel in clear text: use --tls-cert and --tls-key, or a proxy that speaks TLS",
        )
