"""Loading of a server's configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillgame.documents import read_document, replaced
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.ledger import find_config
from distillgame.strict import parse

PATHS = (("directions",), ("monitor", "reference"), ("server", "tls_cert"), ("server", "tls_key"))
"""Fields that name files, relative to the folder of the configuration."""


def load_serving(
    source: str | Path | Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None
) -> ServeConfig:
    """Load a configuration.

    Args:
        source: A YAML file, the name of a shipped configuration, plain data, or None for the embedded pair.
        overrides: Values that replace the file's, by dotted name.

    Raises:
        DistillgameError: If the file is missing or malformed, or a field is wrong.
    """
    if isinstance(source, Mapping):
        data, where = dict(source), "the configuration"
    else:
        path = find_config(source)
        data, where = read_document(path), str(path)
        for names in PATHS:
            _anchor(data, names, path.parent)
    return parse(ServeConfig, replaced(data, overrides or {}), where)


def _anchor(data: Any, names: tuple[str, ...], folder: Path) -> None:
    """Make paths in the configuration relative to its folder, so that they are found from anywhere."""
    for name in names[:-1]:
        data = data.get(name) if isinstance(data, dict) else None
    value = data.get(names[-1]) if isinstance(data, dict) else None
    if isinstance(value, str):
        data[names[-1]] = str(folder / value)
    elif isinstance(value, dict):
        data[names[-1]] = {key: str(folder / path) for key, path in value.items() if isinstance(path, str)}
