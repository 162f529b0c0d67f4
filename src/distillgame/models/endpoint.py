"""A model behind an OpenAI-compatible endpoint, where only its texts can be had."""

from typing import Any

from pydantic import Field, model_validator

from distillgame.models.spec import ModelSpec
from distillgame.strict import Strict


class Endpoint(Strict):
    """A model behind an OpenAI-compatible endpoint.

    Nothing can be hashed there, so results go by these fields: whoever swaps the model behind a name starts a new run.

    Attributes:
        endpoint: The base URL, as in ``http://127.0.0.1:8000/v1``.
        model: Its name for the model.
        api_key_env: Name of the environment variable that holds its key; none is sent without.
        concurrency: Most requests at once.
        retries: How often a request that failed, or was refused for its rate, is repeated; a server's ``Retry-After``
            is honoured.
        timeout: Seconds until an answer must be there.
        extra: Further fields of each request; ``null`` leaves out one that is sent otherwise, as in
            ``{max_tokens: null, max_completion_tokens: 512}``.
    """

    endpoint: str
    model: str
    api_key_env: str | None = None
    concurrency: int = Field(8, ge=1)
    retries: int = Field(6, ge=0)
    timeout: float = Field(120.0, gt=0)
    extra: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name, for labels."""
        return self.model

    @model_validator(mode="after")
    def _check(self) -> "Endpoint":
        if not self.endpoint.startswith(("http://", "https://")):
            raise ValueError(f"endpoint: an http:// or https:// address (found {self.endpoint!r})")
        return self


WriterSpec = ModelSpec | Endpoint
"""Whoever writes texts: a model that is run here, or one behind an endpoint."""
