"""The frontier: utility against leakage."""

from pathlib import Path

from matplotlib.figure import Figure

from distillgame.records import Results
from distillgame.report.table import name_of, students_of

MARKERS = {"passive": "o", "adaptive": "^"}
"""The students that are drawn: the weakest and the strongest of the paper."""


def draw_frontier(results: Results, path: Path) -> None:
    """Draw teacher accuracy against student accuracy, with standard errors, as PNG.

    A point further right is a better teacher, a lower one leaks less. The line joins the passive and the adaptive
    student of a policy: its length is what a passive evaluation would have missed.
    """
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    for i, teacher in enumerate(results.teachers):
        drawn = [row for row in students_of(results, teacher).values() if row.student in MARKERS]
        color = f"C{i % 10}"
        for k, student in enumerate(drawn):
            axes.errorbar(
                teacher.accuracy, student.accuracy, xerr=teacher.standard_error, yerr=student.standard_error,
                fmt=MARKERS[student.student], color=color, markersize=7, capsize=2,
                markerfacecolor="white" if student.student == "passive" else color,
                label=name_of(teacher) if k == 0 else None,
            )  # fmt: skip
        accuracies = [student.accuracy for student in drawn]
        axes.plot([teacher.accuracy] * len(accuracies), accuracies, color=color, linewidth=1, alpha=0.6)
    untrained = [row for row in results.students if row.student == "untrained"]
    if untrained:
        axes.axhline(untrained[0].accuracy, color="grey", linestyle=":", linewidth=1)
        axes.set_ylim(bottom=min(axes.get_ylim()[0], untrained[0].accuracy - 0.03))
        axes.annotate(
            "untrained student", (0, untrained[0].accuracy), xycoords=("axes fraction", "data"),
            xytext=(4, 3), textcoords="offset points", color="grey", fontsize=8,
        )  # fmt: skip
    axes.set_xlabel("teacher accuracy (utility)")
    axes.set_ylabel("student accuracy (leakage)")
    axes.set_title(f"{results.task}: ○ passive, ▲ adaptive student", fontsize=10)
    axes.legend(title="release policy", fontsize=8, title_fontsize=8)
    axes.grid(alpha=0.25)
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, dpi=150, format="png")
    partial.replace(path)
