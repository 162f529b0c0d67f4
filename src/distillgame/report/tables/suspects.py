"""The tables of the game of attribution, in Markdown."""

import math
import statistics

from distillgame.records.suspects import RATES, MarkRow, SuspectResults, SuspectRow
from distillgame.report.findings import scored

EVIDENCE = {
    "released": "released texts",
    "prompts": "its prompts",
    "held_out": "held-out prompts",
    "samples": "its own samples",
}
"""Kinds of evidence in words."""


def suspect_lines(results: SuspectResults) -> list[str]:
    """Return the lines of both tables: what marks cost, and whom the tests named."""
    judges = list(dict.fromkeys(judge for mark in results.marks for judge in mark.auditability))
    titles = ["teacher", "KL", "bits per trace", *(f"legible ({judge})" for judge in judges)]
    lines = [" | ".join(["| policy", *titles]) + " |", "|---|" + "---:|" * len(titles)]
    lines += [_mark_line(mark, judges) for mark in results.marks]
    rates = " | ".join(f"TPR at {rate:.0e}" for rate in RATES)
    lines += ["", f"| policy | suspect | evidence | accuracy | z | median p | {rates} | named |"]
    lines.append("|---|---|---|---:|---:|---:|" + "---:|" * len(RATES) + "---|")
    lines += [_line(row) for row in results.suspects]
    return [*lines, "", _alarms(results)]


def _mark_line(mark: MarkRow, judges: list[str]) -> str:
    legible = "".join(f" {scored(mark.auditability.get(judge))} |" for judge in judges)
    return (
        f"| {mark.policy} | {100 * mark.accuracy:.1f} ± {100 * mark.standard_error:.1f} | {mark.kl_per_trace:.3f} | "
        f"{mark.bits_per_trace:.2f} |{legible}"
    )


def _line(row: SuspectRow) -> str:
    shares = " | ".join(f"{row.rate(rate):.2f}" for rate in RATES)
    z = " ".join(f"{value:+.1f}" for value in row.z)
    named = ", ".join(f"{row.named.count(name)} {name}" for name in dict.fromkeys(row.named))
    return (
        f"| {row.policy} | {row.suspect} | {EVIDENCE[row.evidence]} | {100 * row.accuracy:.1f} | {z} | "
        f"{_small(statistics.median(row.p_values))} | {shares} | {named} |"
    )


def _alarms(results: SuspectResults) -> str:
    """Return the false alarms in words, with exact 95% intervals of their rates (Clopper and Pearson)."""
    from scipy.stats import binomtest

    tests = sum(row.tests for row in results.suspects)
    parts = []
    for place, rate in enumerate(RATES):
        alarms = sum(row.false_alarms[place] for row in results.suspects)
        interval = binomtest(alarms, tests).proportion_ci()
        parts.append(f"{alarms} at p <= {rate:g} ({interval.low:.1e} to {interval.high:.1e})")
    return f"Of {tests:,} keys of uninvolved owners: {', '.join(parts)}."


def _small(p_value: float) -> str:
    return f"{p_value:.2f}" if p_value >= 0.01 else f"1e{math.floor(math.log10(p_value))}" if p_value > 0 else "0"
