"""Train without the settings of Accelerate in the environment: they would change weights under the same key."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

PREFIXES = ("ACCELERATE_", "FSDP_", "PARALLELISM_CONFIG_", "MEGATRON_LM_", "TORCHDYNAMO_")
"""Variables that set precision, gradient accumulation, device, compilation or sharding of a Hugging Face Trainer."""


@contextmanager
def own_settings() -> Iterator[None]:
    """Hide the variables that begin with :data:`PREFIXES`, and drop those that a training sets itself."""
    hidden = _take()
    try:
        yield
    finally:
        _take()
        os.environ.update(hidden)


def _take() -> dict[str, str]:
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIXES)}
