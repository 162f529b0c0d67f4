"""The table of legibility as text: one row per defense, by one judge."""

from distillgame.records import LegibilityRow, MeanScore, Results
from distillgame.report.findings import name_of, shifted


def legibility_header(results: Results, judge: str) -> list[str]:
    """Return the column titles.

    Args:
        results: A game that was judged.
        judge: The judge.
    """
    return ["policy", "auditability", "against undefended", "right", "wrong", *_criteria(results, judge), "not scored"]


def legibility_rows(results: Results, judge: str) -> list[list[str]]:
    """Return the cells as text, one list per defense.

    Args:
        results: A game that was judged.
        judge: The judge.
    """
    rows = _rows(results, judge)
    return [
        [
            name_of(teacher),
            _score(row.auditability),
            "–" if row.over_standard is None else shifted(row.over_standard),
            *(_mean(score) for score in (row.if_correct, row.if_wrong)),
            *(_mean(row.criteria.get(name)) for name in _criteria(results, judge)),
            str(sum(row.failures.values())),
        ]
        for teacher in results.teachers
        if (row := rows.get(teacher.defense)) is not None
    ]


def _rows(results: Results, judge: str) -> dict[str, LegibilityRow]:
    found = results.legibility
    return {} if found is None else {row.defense: row for row in found.rows if row.judge == judge}


def _criteria(results: Results, judge: str) -> list[str]:
    return list(dict.fromkeys(name for row in _rows(results, judge).values() for name in row.criteria))


def _score(score: MeanScore | None) -> str:
    if score is None:
        return "–"
    return f"{score.mean:.2f} ({score.interval.low:.2f} to {score.interval.high:.2f})"


def _mean(score: MeanScore | None) -> str:
    return "–" if score is None else f"{score.mean:.2f}"
