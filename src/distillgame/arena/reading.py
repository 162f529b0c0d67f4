"""Read a configuration from YAML: shipped or one's own, its quick section, single values replaced."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from distillgame.arena.config import GameConfig
from distillgame.errors import DistillgameError
from distillgame.strict import parse

SHIPPED = Path(__file__).parent.parent / "configs"
"""The folder of the configurations that come with the package."""


def load_config(
    source: str | Path | Mapping[str, Any] | GameConfig | None = None,
    *,
    quick: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> GameConfig:
    """Load a configuration.

    Args:
        source: A YAML file, the name of a shipped configuration, plain data, or None for the embedded world.
        quick: Apply the configuration's ``quick`` section.
        overrides: Dotted names and values that replace the file's (``{"sampling.temperature": 0.7}``).

    Raises:
        DistillgameError: If the file is missing or malformed, or a field is wrong.
    """
    if isinstance(source, GameConfig):
        data: dict[str, Any] = source.model_dump(by_alias=True)
        where = "the configuration"
    elif isinstance(source, Mapping):
        data, where = dict(source), "the configuration"
    else:
        path = _find(source)
        data, where = _anchor(_read_yaml(path), path.parent), str(path)
    if quick:
        replaced = data.get("quick") or {}
        if not isinstance(replaced, Mapping):
            raise DistillgameError(f"{where}: 'quick': a mapping of names to values (found {replaced!r})")
        data = _merge(data, replaced)
    for name, value in (overrides or {}).items():
        data = _replace(data, name.split("."), value)
    return parse(GameConfig, data, where)


def _find(source: str | Path | None) -> Path:
    if source is None:
        return SHIPPED / "embedded.yaml"
    path = Path(source)
    shipped = SHIPPED / f"{source}.yaml"
    if not path.exists() and shipped.is_file():
        return shipped
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
        raise DistillgameError(f"{source}: no such configuration file (shipped ones: {known})")
    return path


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise DistillgameError(f"{path}: not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise DistillgameError(f"{path}: a configuration is a mapping of names to values")
    return data


def _anchor(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let a task's ``path`` that stands beside the configuration file be found from anywhere."""
    task = data.get("task")
    if isinstance(task, dict) and len(task) == 1:
        name, options = next(iter(task.items()))
        if isinstance(options, dict) and isinstance(options.get("path"), str) and (folder / options["path"]).exists():
            return data | {"task": {name: options | {"path": str((folder / options["path"]).resolve())}}}
    return data


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(merged.get(key), Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _replace(base: Any, path: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    known = base if isinstance(base, Mapping) else {}
    return {**known, first: _replace(known.get(first), rest, value) if rest else value}
