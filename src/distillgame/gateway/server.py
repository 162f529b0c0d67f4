"""Run a server until it is told to stop."""

import asyncio
import math
import signal
import socket

import uvicorn
from fastapi import FastAPI

from distillgame.errors import DistillgameError
from distillgame.gateway import logs
from distillgame.gateway.app import make_app
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.logs import log
from distillgame.gateway.protocol import PatientProtocol
from distillgame.gateway.rooms import open_rooms


class _Server(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            log("serving", host=address[0], port=address[1], tls=self.config.is_ssl)


def serve(config: ServeConfig) -> None:
    """Serve until SIGINT or SIGTERM; then running requests are given time to finish.

    Raises:
        DistillgameError: If a model, the database, the upstream or the address is not to be had.
    """
    logs.set_up()
    _warn(config)
    _claim(config)
    # Uvicorn stops at a signal and then raises it again: having stopped as one was told to is no failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(_serve(config))


async def _serve(config: ServeConfig) -> None:
    rooms = open_rooms(config)
    try:
        await rooms.backend.start()
        await _Server(_settings(config, make_app(config, rooms))).serve()
    finally:
        await rooms.close()


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
    """See that the address is free, before models are loaded for nothing."""
    family = socket.AF_INET6 if ":" in config.server.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((config.server.host, config.server.port))
    except OSError as error:
        where = f"{config.server.host}:{config.server.port}"
        raise DistillgameError(f"{where}: {error.strerror or error}: choose another --host or --port") from error


def _warn(config: ServeConfig) -> None:
    for name, policy in config.policies.items():
        if policy.defended and config.served(name).logprobs is not None:
            log("warning", policy=name, text="released log-probabilities let a client undo the defense")
    local = config.server.host in ("127.0.0.1", "localhost", "::1")
    if not local and config.server.tls_cert is None:
        log("warning", text="keys travel in clear text: use --tls-cert and --tls-key, or a proxy that speaks TLS")
