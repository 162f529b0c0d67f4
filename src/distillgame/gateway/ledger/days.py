"""Days and time spans in the ledger."""

import re
from datetime import UTC, datetime

from distillgame.errors import DistillgameError

SPAN = re.compile(r"(\d+)([mhd])")

SECONDS = {"m": 60, "h": 3600, "d": 86_400}


def day_of(seconds: float) -> str:
    """Return the UTC day of a time (seconds since 1970), as in 2026-01-31."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def parse_span(text: str) -> float:
    """Parse a time span such as 30m, 24h or 7d, and return its seconds.

    Raises:
        DistillgameError: If the text is not a time span.
    """
    found = SPAN.fullmatch(text.strip())
    if found is None:
        raise DistillgameError(f"'{text}' is not a span of time: write 30m, 24h or 7d")
    return int(found.group(1)) * SECONDS[found.group(2)]
