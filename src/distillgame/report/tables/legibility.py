"""The table of legibility as text: one row per defense, by one judge."""

from distillgame.records import LegibilityRow, MeanScore, Results
from distillgame.report.findings import name_of, shifted

COST_HEADER = ["policy", "tokens read", "tokens written"]
"""The column titles of :func:`cost_rows`."""


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


def cost_rows(results: Results, judge: str) -> list[list[str]]:
    """Return the tokens that a judge read and wrote, as text: per defense, for all controls, and together.

    Args:
        results: A game that was judged.
        judge: The judge.

    Returns:
        The cells under :data:`COST_HEADER`; none if the judge is a program, which reads no tokens.
    """
    found = [] if results.legibility is None else results.legibility.judges
    about = next((each for each in found if each.judge == judge and each.prompt_tokens), None)
    if about is None:
        return []
    rows = _rows(results, judge)
    spent = [(name_of(teacher), rows[teacher.defense]) for teacher in results.teachers if teacher.defense in rows]
    lines = [(name, row.prompt_tokens, row.tokens) for name, row in spent]
    read, wrote = sum(line[1] for line in lines), sum(line[2] for line in lines)
    lines += [
        ("controls", about.prompt_tokens - read, about.tokens - wrote),
        ("together", about.prompt_tokens, about.tokens),
    ]
    return [[name, f"{read:,}", f"{wrote:,}"] for name, read, wrote in lines]


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
