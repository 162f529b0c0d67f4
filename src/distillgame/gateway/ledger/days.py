"""Days and spans of time, as the ledger counts them."""

import re
from datetime import UTC, datetime

from distillgame.errors import DistillgameError

SPAN = re.compile(r"(\d+)([mhd])")

SECONDS = {"m": 60, "h": 3600, "d": 86_400}


def day_of(seconds: float) -> str:
    """The UTC day of a time, as in 2026-01-31."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def span(text: str) -> float:
    """Seconds of a span of time, as in 30m, 24h or 7d.

    Raises:
        DistillgameError: If it is none.
    """
    found = SPAN.fullmatch(text.strip())
    if found is None:
        raise DistillgameError(f"'{text}' is not a span of time: write 30m, 24h or 7d")
    return int(found.group(1)) * SECONDS[found.group(2)]
