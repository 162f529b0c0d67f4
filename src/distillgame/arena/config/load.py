"""Read a game's configuration: shipped or one's own, its quick section, single values replaced."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillgame.arena.config.game import GameConfig
from distillgame.documents import CONFIGS, find_document, merged, read_document, replaced
from distillgame.errors import DistillgameError
from distillgame.strict import parse

DEFAULT = "bestiary"
"""The shipped configuration that is played where none is named."""


def load_config(
    source: str | Path | Mapping[str, Any] | GameConfig | None = None,
    *,
    quick: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> GameConfig:
    """Load a configuration.

    Args:
        source: A YAML file, the name of a shipped configuration, plain data, or None for the default game.
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
        path = CONFIGS / f"{DEFAULT}.yaml" if source is None else find_document(source, CONFIGS)
        data, where = _anchor(read_document(path), path.parent), str(path)
    if quick:
        changes = data.get("quick") or {}
        if not isinstance(changes, Mapping):
            raise DistillgameError(f"{where}: 'quick': a mapping of names to values (found {changes!r})")
        data = merged(data, changes)
    return parse(GameConfig, replaced(data, overrides or {}), where)


def default_folder(config: object, quick: bool = False) -> Path:
    """Return the folder of a run that was given none: ``runs/`` and the configuration's name."""
    name = Path(config).stem if isinstance(config, str | Path) else DEFAULT if config is None else "game"
    return Path("runs") / (f"{name}-quick" if quick else name)


def _anchor(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let a task's ``path`` that stands beside the configuration file be found from anywhere."""
    task = data.get("task")
    if isinstance(task, dict) and len(task) == 1:
        name, options = next(iter(task.items()))
        if isinstance(options, dict) and isinstance(options.get("path"), str) and (folder / options["path"]).exists():
            return data | {"task": {name: options | {"path": str((folder / options["path"]).resolve())}}}
    return data
