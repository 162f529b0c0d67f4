"""Leakage by key over time, drawn."""

from datetime import UTC, datetime
from pathlib import Path

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from distillgame.errors import DistillgameError
from distillgame.gateway.accounts import Step

MOST = 8
"""Keys that have a line of their own: those that were released most; the others are drawn together."""

PANELS = (("value", "value released (nats)"), ("kl", "KL spent (nats)"), ("tokens", "tokens released"))


def plot_history(steps: list[Step], since: float, until: float, path: Path) -> None:
    """Draw cumulative value, KL and tokens by key.

    Args:
        steps: The ledger by key and interval, in the order of time.
        since: Where the axis of time begins, seconds since 1970.
        until: Where it ends.
        path: Where to; its suffix is the format.

    Raises:
        DistillgameError: If the file cannot be written or its format is unknown.
    """
    totals: dict[str, float] = {}
    for step in steps:
        totals[step.key] = totals.get(step.key, 0.0) + step.value + 1e-9 * step.tokens
    shown = sorted(totals, key=lambda key: -totals[key])[:MOST]
    names = {step.key: f"{step.key} ({step.owner})" for step in steps}
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, (field, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for key in [*shown, *(["other"] if len(totals) > MOST else [])]:
            mine = [step for step in steps if step.key == key or (key == "other" and step.key not in shown)]
            times, sums, total = [], [], 0.0
            for step in mine:
                total += getattr(step, field)
                times.append(_moment(max(step.start, since)))
                sums.append(total)
            times, sums = [_moment(since), *times, _moment(until)], [0.0, *sums, total]
            axes.step(times, sums, where="post", label=names.get(key, "all others"))
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
