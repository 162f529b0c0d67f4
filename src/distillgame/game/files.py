"""Games in files: JSON with one list per context, or CSV with one row per output."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.game.contexts import Contexts, check_budget, make_contexts

KEYS = ("pi_ref", "v", "epsilon", "rho", "weights")
EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Game:
    """A game to solve.

    Attributes:
        contexts: The reference teacher, the values, and the contexts' weights.
        epsilon: The teacher's budget in nats.
        rho: The student's budget in nats.
    """

    contexts: Contexts
    epsilon: float
    rho: float


def read_game(source: str, epsilon: float | None = None, rho: float | None = None) -> Game:
    """Read a game from a ``.json`` or ``.csv`` file, or a shipped example by its name.

    A CSV file has the columns ``context``, ``pi_ref``, ``v`` and optionally ``weight``.

    Args:
        source: A file, or the name of an example.
        epsilon: Overrides the file's budget; a CSV file has none.
        rho: Likewise.

    Raises:
        DistillgameError: If the file does not exist or does not hold a game; the message names the field.
    """
    path = Path(source)
    try:
        shipped = EXAMPLES / f"{source}.json"
        path = shipped if shipped.exists() and not path.exists() else path
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(sorted(example.stem for example in EXAMPLES.glob("*.json")))
        reason = getattr(error, "strerror", None) or "not a text file"
        raise DistillgameError(f"{source}: cannot be read ({reason}); give a file, or an example: {names}") from error
    try:
        found = _from_csv(text) if path.suffix.lower() == ".csv" else _from_json(text)
        return make_game(found | {k: b for k, b in (("epsilon", epsilon), ("rho", rho)) if b is not None})
    except (DistillgameError, csv.Error) as error:
        raise DistillgameError(f"{source}: {error}") from error


def make_game(fields: Mapping[str, Any]) -> Game:
    """Make a game from the fields ``pi_ref``, ``v``, ``epsilon``, ``rho`` and optionally ``weights``.

    Raises:
        DistillgameError: If a field is missing, unknown or has a bad value.
    """
    for key in fields:
        if key not in KEYS:
            raise DistillgameError(f"unknown field '{key}'; a game has {', '.join(KEYS[:4])} and perhaps weights")
    for key in KEYS[:4]:
        if key not in fields:
            option = f", or give --{key}" if key in ("epsilon", "rho") else ""
            raise DistillgameError(f"the field '{key}' is missing{option}")
    for key in ("pi_ref", "v"):
        if not isinstance(fields[key], list):
            raise DistillgameError(f"{key} must be a list with one list for each context (found {fields[key]!r})")
    if fields.get("weights") is not None and not isinstance(fields["weights"], list):
        raise DistillgameError(f"weights must be a list of numbers (found {fields['weights']!r})")
    return Game(
        make_contexts(fields["pi_ref"], fields["v"], fields.get("weights")),
        check_budget("epsilon", fields["epsilon"]),
        check_budget("rho", fields["rho"]),
    )


def _from_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DistillgameError(f"not JSON ({error})") from error
    if not isinstance(found, dict):
        raise DistillgameError(f"a game must be an object with {', '.join(KEYS[:4])}")
    return found


def _from_csv(text: str) -> dict[str, Any]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = set(reader.fieldnames or ())
    for column in ("context", "pi_ref", "v"):
        if column not in columns:
            raise DistillgameError(f"the column '{column}' is missing (found {', '.join(sorted(columns)) or 'none'})")
    pi: dict[str, list[float]] = {}
    v: dict[str, list[float]] = {}
    weights: dict[str, float] = {}
    for row in reader:
        line = reader.line_num
        context = row["context"]
        pi.setdefault(context, []).append(_number(row, "pi_ref", line))
        v.setdefault(context, []).append(_number(row, "v", line))
        if "weight" in columns:
            weight = _number(row, "weight", line)
            if weights.setdefault(context, weight) != weight:
                raise DistillgameError(f"line {line}: weight: context '{context}' has two weights (found {weight:g})")
    found: dict[str, Any] = {"pi_ref": list(pi.values()), "v": list(v.values())}
    return found | ({"weights": list(weights.values())} if weights else {})


def _number(row: Mapping[str, str | None], column: str, line: int) -> float:
    try:
        return float(row[column] or "")
    except ValueError as error:
        raise DistillgameError(f"line {line}: {column} must be a number (found {row[column]!r})") from error
