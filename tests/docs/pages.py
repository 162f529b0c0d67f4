"""The pages of the documentation, and what is read out of them."""

import re
from pathlib import Path
from typing import Any

from distillgame.records import StudentRow
from distillgame.report import percent

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [*DOCS.glob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
HISTORY = {DOCS / "lab.md", ROOT / "CHANGELOG.md"}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


def section(lines: list[str], heading: str) -> list[str]:
    """The lines of a page's section."""
    rest = lines[lines.index(heading) + 1 :]
    return rest[: next((place for place, line in enumerate(rest) if line.startswith(("## ", "### "))), len(rest))]


def called(student: str, settings: dict[str, Any]) -> str:
    """A student as the tables call it."""
    if student == "composed":
        return ", then ".join(settings[part].partition(":")[0] for part in ("first", "then"))
    name = f"filter {settings['share']:g}".replace(" 0.", " .") if student == "filter" else student
    return f"{name} by {settings['value']}" if "value" in settings else name


def scored(row: StudentRow) -> str:
    """A student's accuracy and name as the tables show them."""
    return f"{percent(row.accuracy, row.standard_error)} ({called(row.student, row.settings)})"
