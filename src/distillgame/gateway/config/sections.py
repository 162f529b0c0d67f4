"""Sections of a server's configuration: engine, vLLM, upstream, HTTP server and monitor."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from distillgame.decoding import TOKEN_BUDGET, DerivativeName
from distillgame.strict import Strict
from distillgame.vllm.arguments import VllmArguments


class EngineSettings(Strict):
    """Settings of the engine.

    Attributes:
        batch_size: Most sequences that are decoded together, per policy.
        token_budget: Bound on sequences x longest sequence, in tokens, per policy.
        queue: Most waiting sequences, over all policies; further requests get status 503.
        speculative: Whether the proxy may draft, which it does if that is faster.
        derivative: Method by which the proxy's derivative is computed.
        device: ``auto`` takes a GPU if there is one.
        threads: Threads of the engine's arithmetic.
    """

    batch_size: int = Field(64, ge=1)
    token_budget: int = Field(TOKEN_BUDGET, ge=1)
    queue: int = Field(512, ge=0)
    speculative: bool = True
    derivative: DerivativeName = "low_rank"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(None, ge=1)


class VllmSettings(VllmArguments):
    """Settings of vLLM, which samples instead of the engine, from one copy of the weights for all policies.

    Attributes:
        enabled: Whether it does; ``--engine vllm`` says so, too.
    """

    enabled: bool = True


class UpstreamSettings(Strict):
    """Settings of an OpenAI-compatible server behind the gateway.

    Attributes:
        url: Its base URL, as in ``http://127.0.0.1:8000/v1``.
        model: Its name for the model; the name that clients use if None.
        api_key_env: Name of the environment variable that holds its key.
        argument: Field of a request that carries a policy's name and strength.
        secret_env: Name of the environment variable that holds the secret without which a vLLM with our plugin releases
            under its strictest policy; None sends none.
        measured: Whether it is a distillgame server whose key reports KL and value with each chunk.
        timeout: Most seconds until its next byte.
    """

    url: str
    model: str | None = None
    api_key_env: str | None = None
    argument: str = "vllm_xargs"
    secret_env: str | None = None
    measured: bool = False
    timeout: float = Field(60, gt=0)

    @model_validator(mode="after")
    def _check(self) -> "UpstreamSettings":
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url: an http:// or https:// address (found {self.url!r})")
        return self


class ServerSettings(Strict):
    """Settings of the HTTP server.

    Attributes:
        host: Address to listen on.
        port: Port; 0 picks a free one.
        request_timeout: Seconds after which a request is cancelled.
        shutdown_timeout: Seconds for which running requests may continue when the server is told to stop.
        max_body_bytes: Largest body of a request, in bytes.
        max_connections: Most connections; further ones get status 503.
        stream_tokens: Tokens per chunk of a stream. All chunks have the same number, so that they do not show how many
            drafts were accepted.
        log_prompts: Whether prompts and completions are logged.
        cors_origins: Web origins that may call from a browser; none by default.
        tls_cert: Certificate chain, PEM.
        tls_key: Its private key, PEM.
    """

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    request_timeout: float = Field(300, gt=0)
    shutdown_timeout: float = Field(30, ge=0)
    max_body_bytes: int = Field(1_000_000, ge=1)
    max_connections: int = Field(2048, ge=1)
    stream_tokens: int = Field(8, ge=1)
    log_prompts: bool = False
    cors_origins: list[str] = Field(default_factory=list)
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> "ServerSettings":
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key: name both or neither")
        for path in (self.tls_cert, self.tls_key):
            if path is not None and not path.is_file():
                raise ValueError(f"{path}: no such file")
        return self


class MonitorSettings(Strict):
    """Settings of the campaign monitor (:mod:`distillgame.gateway.access.monitor`).

    Attributes:
        reference: Ordinary prompts, as JSON lines of ``{"prompt": TEXT}`` or as plain lines; without them there is no
            monitor.
        window: Number of queries of an owner that are judged together.
        false_alarm: Rate at which a window of the reference itself would be flagged.
    """

    reference: Path | None = None
    window: int = Field(64, ge=8)
    false_alarm: float = Field(0.001, gt=0, lt=0.5)
