"""The notation of numbers and names, the same in every table and text."""

from distillgame.records import AgreementRow, ConfidenceInterval, Difference, MeanScore, ScoreShift, TeacherRow

INSIGNIFICANT = "not significant"
"""The only words for a difference that may be chance."""


def percent(value: float, error: float) -> str:
    """Return an accuracy with its standard error."""
    return f"{100 * value:.1f} ± {100 * error:.1f}"


def bounds(interval: ConfidenceInterval) -> str:
    """Return the interval of an accuracy."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def points(difference: Difference) -> str:
    """Return a difference in percentage points with its standard error, marked if it may be chance."""
    text = f"{100 * difference.value:+.1f} ± {100 * difference.standard_error:.1f}"
    return text if difference.significant else f"{text}, {INSIGNIFICANT}"


def tested(difference: Difference) -> str:
    """Return a difference in percentage points with its standard error, 95% interval and p-value."""
    low, high = 100 * difference.interval.low, 100 * difference.interval.high
    text = f"{100 * difference.value:+.1f} ± {100 * difference.standard_error:.1f} [{low:.1f}, {high:.1f}], "
    return text + p_value(difference) + ("" if difference.significant else f", {INSIGNIFICANT}")


def p_value(difference: Difference | ScoreShift) -> str:
    """Return the corrected p-value."""
    p = difference.p_value
    return "p < .001" if p < 0.001 else f"p = {p:.{2 if p >= 0.01 else 3}f}".replace("0.", ".")


def shifted(shift: ScoreShift) -> str:
    """Return a difference of scores with its 95% interval and p-value."""
    text = f"{shift.value:+.2f} ({shift.interval.low:+.2f} to {shift.interval.high:+.2f}), {p_value(shift)}"
    return text if shift.significant else f"{text}, {INSIGNIFICANT}"


def agreed(agreement: AgreementRow) -> str:
    """Return the agreement of two judges with its 95% intervals."""
    alpha, kappa = agreement.alpha_interval, agreement.kappa_interval
    return (
        f"{agreement.first} and {agreement.second}: alpha {agreement.alpha:.2f} ({alpha.low:.2f} to {alpha.high:.2f}), "
        f"kappa {agreement.kappa:.2f} ({kappa.low:.2f} to {kappa.high:.2f}), {agreement.n} traces"
    )


def relative(difference: Difference) -> str:
    """Return a difference relative to its baseline; empty if that is zero."""
    return "" if difference.relative is None else f"{100 * difference.relative:+.0f}%"


def relative_bounds(difference: Difference) -> str:
    """Return the interval of :func:`relative`; empty if there is none."""
    interval = difference.relative_interval
    return "" if interval is None else f"{100 * interval.low:+.0f}% to {100 * interval.high:+.0f}%"


def number(value: float | None, suffix: str = "") -> str:
    """Return a number with two decimals, or a dash if nothing was measured."""
    return "–" if value is None else f"{value:.2f}{suffix}"


def scored(score: MeanScore | None) -> str:
    """Return a mean score with half its 95% interval, or a dash if nothing was scored."""
    return "–" if score is None else f"{score.mean:.2f} ± {(score.interval.high - score.interval.low) / 2:.2f}"


def name_of(teacher: TeacherRow) -> str:
    """Return a defense's short name: policy and strength, with proxies and form unless they are the usual ones."""
    name = " ".join([teacher.policy, *(f"{value:.4g}" for value in teacher.strength.values())])
    asides = []
    if not set(teacher.proxies) <= {"proxy"}:
        equal = len(set(teacher.proxies.values())) == 1
        asides += [proxy if equal else f"{proxy} {weight:g}" for proxy, weight in teacher.proxies.items()]
        asides += [teacher.combine] if teacher.combine else []
    asides += [teacher.form] if teacher.form != "full" else []
    return f"{name} ({', '.join(asides)})" if asides else name
