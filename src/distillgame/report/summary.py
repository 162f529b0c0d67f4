"""A short Markdown summary of a game."""

from distillgame.records import Results
from distillgame.report.table import CAPTION, header, rows


def markdown_summary(results: Results) -> str:
    """The summary as Markdown: what was played, the table, the threat model, how to repeat it."""
    objectives = {row.threat_model.objective for row in results.students} - {None}
    queries = max((row.threat_model.queries for row in results.students), default=0)
    first = results.teachers[0]
    lines = [
        f"# The distillation game on {results.task}",
        "",
        f"Teacher `{results.models['teacher']}`, proxy `{results.models['proxy']}`, student "
        f"`{results.models['student']}`. {first.n} {results.split} problems, seeds "
        f"{', '.join(map(str, first.seeds))}.",
        "",
        _markdown(header(results), rows(results)),
        "",
        CAPTION,
        "",
        f"Threat model: the attacker sees released text only ({queries} traces a seed), knows that a defense exists "
        f"but not the proxy, and weighs traces by the objective {', '.join(sorted(map(str, objectives))) or 'none'}. "
        "Untrained and shuffled students and permutation sampling are controls.",
        "",
        "![utility against leakage](frontier.png)",
        "",
        f"Made by `{results.command}` with distillgame {results.versions['distillgame']}.",
        "",
    ]
    return "\n".join(lines)


def _markdown(titles: list[str], cells: list[list[str]]) -> str:
    divider = ["---", *["---:"] * (len(titles) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [titles, divider, *cells])
