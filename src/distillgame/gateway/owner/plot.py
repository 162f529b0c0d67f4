"""A plot of leakage over time."""

import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger import GroupBy, Interval, first_request, history

MOST_LINES = 8
"""Curves of their own, for those to whom most was released; all others share one."""

POINTS = 200
"""Intervals per curve."""

PANELS = (("value", "value released (nats)"), ("kl", "KL spent (nats)"), ("tokens", "tokens released"))


def plot_released(connection: Connection, by: GroupBy, since: float, owner: str | None, path: Path) -> None:
    """Plot cumulative leakage since a time.

    Args:
        connection: The database.
        by: The column whose values have a curve each.
        since: Time of the first request that counts, seconds since 1970.
        owner: Count only this owner's requests.
        path: The file; its suffix is the format.

    Raises:
        DistillgameError: If nothing was released, or the file cannot be written.
    """
    # The axis starts at the first request: on an axis of a month, one day would be a single stroke.
    first = first_request(connection, since)
    now = time.time()
    intervals = history(connection, by, first, max(1.0, (now - first) / POINTS), owner) if first is not None else []
    if not intervals:
        raise DistillgameError("ledger: nothing was released in this time, so there is nothing to plot")
    plot_history(intervals, intervals[0].start, now, path)


def plot_history(intervals: list[Interval], since: float, until: float, path: Path) -> None:
    """Plot cumulative value, KL and tokens.

    Args:
        intervals: The ledger per interval, in the order of time.
        since: Start of the time axis, seconds since 1970.
        until: Its end.
        path: The file; its suffix is the format.

    Raises:
        DistillgameError: If the file cannot be written or its format is unknown.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    totals: dict[str, float] = {}
    for interval in intervals:
        totals[interval.name] = totals.get(interval.name, 0.0) + interval.value + 1e-9 * interval.tokens
    shown = sorted(totals, key=lambda key: -totals[key])[:MOST_LINES]
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, (field, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for key in [*shown, *([None] if len(totals) > MOST_LINES else [])]:
            mine = [i for i in intervals if i.name == key or (key is None and i.name not in shown)]
            times, sums, total = [], [], 0.0
            for interval in mine:
                total += getattr(interval, field)
                times.append(_moment(max(interval.start, since)))
                sums.append(total)
            times, sums = [_moment(since), *times, _moment(until)], [0.0, *sums, total]
            axes.step(times, sums, where="post", label="all others" if key is None else key)
        locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise DistillgameError(f"{path}: cannot be drawn: {error}") from error


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
