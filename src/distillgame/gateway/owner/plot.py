"""Leakage over time, drawn."""

import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, select

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.queries import By, Step, history
from distillgame.gateway.ledger.tables import entries

MOST = 8
"""Lines: those to whom most was released have one each, the others one together."""

POINTS = 200
"""Intervals that a curve is made of."""

PANELS = (("value", "value released (nats)"), ("kl", "KL spent (nats)"), ("tokens", "tokens released"))


def plot_released(connection: Connection, by: By, since: float, owner: str | None, path: Path) -> None:
    """Draw what was released since some time, cumulatively.

    Args:
        connection: The database.
        by: What has a line of its own.
        since: Requests from this time on, seconds since 1970.
        owner: This owner's alone.
        path: Where to; its suffix is the format.

    Raises:
        DistillgameError: If nothing was released, or the file cannot be written.
    """
    # From the first request on: a month's axis would make a day's work one stroke.
    first = connection.scalar(select(func.min(entries.c.opened)).where(entries.c.opened >= since))
    now = time.time()
    steps = history(connection, by, first, max(1.0, (now - first) / POINTS), owner) if first is not None else []
    if not steps:
        raise DistillgameError("ledger: nothing was released in this time, so there is nothing to plot")
    plot_history(steps, steps[0].start, now, path)


def plot_history(steps: list[Step], since: float, until: float, path: Path) -> None:
    """Draw cumulative value, KL and tokens.

    Args:
        steps: The ledger by interval, in the order of time.
        since: Where the axis of time begins, seconds since 1970.
        until: Where it ends.
        path: Where to; its suffix is the format.

    Raises:
        DistillgameError: If the file cannot be written or its format is unknown.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    totals: dict[str, float] = {}
    for step in steps:
        totals[step.name] = totals.get(step.name, 0.0) + step.value + 1e-9 * step.tokens
    shown = sorted(totals, key=lambda key: -totals[key])[:MOST]
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, (field, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for key in [*shown, *([None] if len(totals) > MOST else [])]:
            mine = [step for step in steps if step.name == key or (key is None and step.name not in shown)]
            times, sums, total = [], [], 0.0
            for step in mine:
                total += getattr(step, field)
                times.append(_moment(max(step.start, since)))
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
