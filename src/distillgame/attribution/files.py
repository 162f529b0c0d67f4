"""Positions as JSON: what a stage leaves, and what an evidence bundle carries."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distillgame.attribution.positions import CLIP, Position, Positions
from distillgame.errors import DistillgameError

MOST = 10**9
"""Largest number of texts."""

DIGITS = 7
"""Digits that are kept: the file is what is tested, so that a test can be repeated to the last bit."""


def to_data(positions: Positions) -> dict[str, Any]:
    """Return positions as plain data."""
    return {
        "texts": positions.texts,
        "bits": _short(positions.bits),
        "positions": [
            [
                list(p.context),
                p.count,
                p.tokens.tolist(),
                [_short(x) for x in p.reference.tolist()],
                [_short(x) for x in p.preference.tolist()],
            ]
            for p in positions.found
        ],
    }


def from_data(data: Mapping[str, Any], where: str) -> Positions:
    """Return the positions that :func:`to_data` describes.

    Rounding is made up for: probabilities sum to one, and preferences have mean 0 under them.

    Args:
        data: The data.
        where: The file they are from, for messages.

    Raises:
        DistillgameError: If they are malformed.
    """
    try:
        found = [_position(*row) for row in data["positions"]]
        if len({position.context for position in found}) < len(found):
            raise ValueError("a context is there twice")
        return Positions(int(data["texts"]), float(data["bits"]), found)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DistillgameError(f"{where}: its positions are malformed: {error}") from error


def write_positions(path: Path, positions: Positions) -> None:
    """Write positions to a file."""
    path.write_text(json.dumps(to_data(positions), separators=(",", ":")), encoding="utf-8")


def read_positions(path: Path) -> Positions:
    """Read positions from a file.

    Raises:
        DistillgameError: If it is malformed.
    """
    return from_data(json.loads(path.read_text(encoding="utf-8")), str(path))


def _position(context: Any, count: Any, tokens: Any, reference: Any, preference: Any) -> Position:
    ids, shares, chosen = np.array(tokens, np.int64), np.array(reference, float), np.array(preference, float)
    sound = 0 < len(ids) == len(shares) == len(chosen) and (np.diff(ids) > 0).all() and 1 <= count <= MOST
    if not sound or not np.isfinite([*shares, *chosen]).all() or shares.min() < 0 or abs(chosen).max() > 2 * CLIP:
        raise ValueError(f"context {context!r:.60}")
    shares = shares / shares.sum()
    return Position(tuple(map(int, context)), int(count), ids, shares, chosen - float((shares * chosen).sum()))


def _short(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
