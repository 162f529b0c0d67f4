"""Summaries of a game in Markdown."""

from distillgame.records import Results, ThreatModel
from distillgame.report.findings import agreed, areas, name_of, percent, picks, points, shifted, tested, verdict
from distillgame.report.tables.legibility import COST_HEADER, cost_rows, legibility_header, legibility_rows
from distillgame.report.tables.narrow import caption, header, rows
from distillgame.stats import FLAGS

MEANINGS = {
    "text": "released text only",
    "assisted": "released text, and public worked solutions to train on",
    "informed": "more than text: log-probabilities, or the defender's proxy",
}
"""The sources that students of each level have."""


def markdown_summary(results: Results) -> str:
    """Return the summary of a game as Markdown: setup, verdict, table, comparisons, flags and threat model."""
    first, found = results.teachers[0], verdict(results)
    sections = [
        f"# The distillation game on {results.task}",
        f"Teacher `{results.models['teacher']}`, proxy `{results.models['proxy']}`, student "
        f"`{results.models['student']}`. {first.n} {results.split} problems, seeds "
        f"{', '.join(map(str, first.seeds))}.",
        f"**{found.headline}** {' '.join(found.sentences)}",
        _markdown(header(results), rows(results)),
        caption(results),
        "![utility against leakage](frontier.png)",
        *[f"Area between the passive and the strongest student's curve: {text}." for text in [_areas(results)] if text],
        *(["![leakage against queries](queries.png)"] if len(picks.query_counts(results)) > 1 else []),
        *_comparisons(results),
        *_legibility(results),
        "## Flags",
        _flags(results),
        "## Threat model",
        threat_model(results),
        "## How to repeat it",
        f"Made by `{results.command}` with distillgame {results.versions['distillgame']} on {results.device}; "
        f"students: {results.students_played}. `results.json` has everything, `report.html` shows it.",
    ]
    return "\n\n".join(sections) + "\n"


def attack_summary(results: Results) -> str:
    """Return the summary of an attack on traces from elsewhere, which has no teacher to be measured."""
    first = results.students[0]
    cells = [
        [
            row.label + (" (strongest)" if row.strongest else ""),
            "control" if row.control else row.threat_model.level,
            percent(row.accuracy, row.standard_error),
            "–" if row.over_passive is None else points(row.over_passive),
            "–" if row.over_untrained is None else points(row.over_untrained),
            *([] if row.facts is None else [f"{row.facts.forced.mean:.0f}"]),
            str(len(row.seeds)),
        ]
        for row in results.students
    ]
    counted = ["facts learnt"] if results.facts else []
    sections = [
        f"# An attack on {first.defense}",
        f"Students `{results.models['student']}` on {results.task}, {first.n} {results.split} problems. The strongest "
        "of each level is chosen on the validation split with the first seed, and played with all.",
        _markdown(["student", "level", "accuracy", "over passive", "over untrained", *counted, "seeds"], cells),
        "Accuracies and paired differences in percent and points ± standard error; differences that may be chance, "
        "after correction for the number of students, are called not significant.",
        *(
            f"{row.queries:,} traces state {row.stated.mean:.0f} of {row.facts} private facts; "
            f"{row.derivable.mean:.0f} can be derived from them."
            for row in results.facts
        ),
        "## Flags",
        _flags(results),
        "## Threat model",
        threat_model(results),
        f"Made by `{results.command}` with distillgame {results.versions['distillgame']} on {results.device}; "
        f"students: {results.students_played}.",
    ]
    return "\n\n".join(sections) + "\n"


def threat_model(results: Results) -> str:
    """Return the attackers' knowledge as a Markdown list, one item per level."""
    by_level: dict[str, list[ThreatModel]] = {}
    for row in results.students:
        if picks.control_name(row) is None:
            by_level.setdefault(row.threat_model.level, []).append(row.threat_model)
    lines = ["Every attacker knows that a defense exists and may ask any problem of its own."]
    for level, models in by_level.items():
        queries = ", ".join(map(str, sorted({model.queries for model in models})))
        objectives = ", ".join(sorted({model.objective for model in models if model.objective})) or "none"
        knows = "some know the proxy" if any(model.knows_proxy for model in models) else "the proxy is unknown"
        lines.append(
            f"- {level}: sees {MEANINGS[level]} ({queries} traces per seed); objective {objectives}; {knows}; starts "
            f"from {', '.join(sorted({f'`{model.base_model}`' for model in models}))}."
        )
    return "\n".join([lines[0], "", *lines[1:]])


def _comparisons(results: Results) -> list[str]:
    if not results.comparisons:
        return []
    names = {row.defense: name_of(row) for row in results.teachers}
    lines = [
        f"- {names.get(row.first, row.first)} vs {names.get(row.second, row.second)}"
        f"{'' if row.level == 'text' else f' ({row.level})'}: {tested(row.difference)}"
        for row in results.comparisons
    ]
    intro = "Leakage to the strongest students in percentage points, paired by seed and problem, p-values after Holm:"
    return ["## Comparisons", intro, "\n".join(lines)]


def _legibility(results: Results) -> list[str]:
    if results.legibility is None:
        return []
    intro = (
        f"What judges say about the traces of {results.legibility.problems} problems under every defense, blindly. "
        "Auditability goes from 1 to 5, with 95% intervals over problems; differences are paired by problem, p-values "
        "after Holm."
    )
    tables = [
        f"By {judge.judge}:\n\n"
        + _markdown(legibility_header(results, judge.judge), legibility_rows(results, judge.judge))
        + (f"\n\n{_markdown(COST_HEADER, cost)}" if (cost := cost_rows(results, judge.judge)) else "")
        for judge in results.legibility.judges
    ]
    agreed_on = ["\n".join(f"- {agreed(row)}" for row in results.legibility.agreements)]
    names = {row.defense: name_of(row) for row in results.teachers}
    lines = [
        f"- {names[row.first]} vs {names[row.second]}: {shifted(row.difference)}"
        for row in results.legibility.comparisons
        if row.judge == results.legibility.judges[0].judge
    ]
    compared = [f"By {results.legibility.judges[0].judge}, pair by pair:\n\n" + "\n".join(lines)] if lines else []
    return [
        "## Legibility",
        intro,
        "![auditability by level](legibility.png)",
        *tables,
        *filter(None, agreed_on),
        *compared,
    ]


def _flags(results: Results) -> str:
    if not results.flags:
        return "No flags."
    names = {row.defense: name_of(row) for row in results.teachers}
    lines = []
    for row in results.flags:
        about = ", ".join(filter(None, [names.get(row.defense or "", row.defense), row.student])) or "the whole game"
        meaning = f" {FLAGS[row.flag].meaning}" if row.flag in FLAGS else ""
        lines.append(f"- **{row.flag}** ({about}): {row.message}{meaning}")
    return "\n".join(lines)


def _areas(results: Results) -> str:
    return "; ".join(f"{name} {10_000 * area:.0f} square points" for name, area in areas(results).items())


def _markdown(titles: list[str], cells: list[list[str]]) -> str:
    divider = ["---", *["---:"] * (len(titles) - 1)]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in [titles, divider, *lines])
