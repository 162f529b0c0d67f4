"""YAML configuration documents: finding, reading and overriding them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from distillgame.errors import DistillgameError

CONFIGS = Path(__file__).parent / "configs"
"""The folder of the configurations that come with the package."""


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, which takes ``5e-1`` for text, with the numbers of YAML 1.2 (and of JSON)."""


# https://github.com/yaml/pyyaml/issues/173
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def parse_yaml(text: str) -> Any:
    """Return what a YAML document holds.

    Raises:
        yaml.YAMLError: If it is not YAML.
    """
    return yaml.load(text, _Loader)


def find_document(source: str | Path, folder: Path) -> Path:
    """Return the file called ``source``, or the shipped one of that name in ``folder``.

    Raises:
        DistillgameError: If neither exists.
    """
    path = Path(source)
    shipped = folder / f"{source}.yaml"
    if not path.exists() and shipped.is_file():
        return shipped
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise DistillgameError(f"{source}: no such configuration file (shipped ones: {known})")
    return path


def read_document(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        DistillgameError: If it is not readable or not a mapping.
    """
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise DistillgameError(f"{path}: not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise DistillgameError(f"{path}: a configuration is a mapping of names to values")
    return data


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes``, merged mapping by mapping."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(result.get(key), Mapping) and isinstance(value, Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def replaced(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with values replaced by dotted name (``{"sampling.temperature": 0.7}``)."""
    result = dict(base)
    for name, value in overrides.items():
        result = _replace(result, name.split("."), value)
    return result


def _replace(base: Any, path: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    known = base if isinstance(base, Mapping) else {}
    return {**known, first: _replace(known.get(first), rest, value) if rest else value}
