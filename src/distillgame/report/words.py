"""How numbers are written, in every table and text."""

from distillgame.records import Bounds, Difference, TeacherRow

INSIGNIFICANT = "not significant"
"""What a difference is called that may be chance; no other words are used for it."""


def percent(value: float, error: float) -> str:
    """An accuracy with its standard error."""
    return f"{100 * value:.1f} ± {100 * error:.1f}"


def bounds(interval: Bounds) -> str:
    """The interval of an accuracy."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def points(difference: Difference) -> str:
    """A difference in percentage points with its standard error, and whether it may be chance."""
    text = f"{100 * difference.value:+.1f} ± {100 * difference.standard_error:.1f}"
    return text if difference.significant else f"{text}, {INSIGNIFICANT}"


def tested(difference: Difference) -> str:
    """A difference in percentage points with its standard error, its 95% interval and its p-value."""
    low, high = 100 * difference.interval.low, 100 * difference.interval.high
    text = f"{100 * difference.value:+.1f} ± {100 * difference.standard_error:.1f} [{low:.1f}, {high:.1f}], "
    return text + p_value(difference) + ("" if difference.significant else f", {INSIGNIFICANT}")


def p_value(difference: Difference) -> str:
    """The corrected p-value."""
    p = difference.p_value
    return "p < .001" if p < 0.001 else f"p = {p:.{2 if p >= 0.01 else 3}f}".replace("0.", ".")


def relative(difference: Difference) -> str:
    """A difference relative to what it was taken from; empty where that is zero."""
    return "" if difference.relative is None else f"{100 * difference.relative:+.0f}%"


def relative_bounds(difference: Difference) -> str:
    """The interval of :func:`relative`; empty where there is none."""
    interval = difference.relative_interval
    return "" if interval is None else f"{100 * interval.low:+.0f}% to {100 * interval.high:+.0f}%"


def number(value: float | None, suffix: str = "") -> str:
    """A number with two digits, or a dash where nothing was measured."""
    return "–" if value is None else f"{value:.2f}{suffix}"


def name_of(teacher: TeacherRow) -> str:
    """A defense's short name: its policy and strength; proxies and form where they are not the usual ones."""
    name = " ".join([teacher.policy, *(f"{value:.4g}" for value in teacher.strength.values())])
    asides = []
    if not set(teacher.proxies) <= {"proxy"}:
        equal = len(set(teacher.proxies.values())) == 1
        asides += [proxy if equal else f"{proxy} {weight:g}" for proxy, weight in teacher.proxies.items()]
        asides += [teacher.combine] if teacher.combine else []
    asides += [teacher.form] if teacher.form != "full" else []
    return f"{name} ({', '.join(asides)})" if asides else name
