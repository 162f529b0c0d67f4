"""The agreement between ways to compute a derivative, as Markdown and as a figure."""

from pathlib import Path
from typing import Any


def render_derivative(result: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    lines = [
        "# The proxy's derivative along g",
        "",
        f"Derivative of the log-probabilities of {result['proxy']} at {result['positions']} positions, against forward",
        "mode in float64: norm of the difference relative to the derivative's own norm, and cosine.",
        "",
        "| method | precision | step | dropped | mean rank | relative error | cosine |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in result["rows"]:
        step, dropped = ("" if row[key] is None else f"{row[key]:g}" for key in ("step", "dropped"))
        rank = "" if row["mean_rank"] is None else f"{row['mean_rank']:.1f}"
        name = row["method"].replace("_", " ")
        error = f"{100 * row['relative_error']:.3g}%"
        lines.append(f"| {name} | {row['dtype']} | {step} | {dropped} | {rank} | {error} | {row['cosine']:.5f} |")
    return "\n".join(lines) + "\n"


def draw_derivative(result: dict[str, Any], path: Path) -> None:
    """Draw the relative error of central differences over the step, with forward mode as levels, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    colors = {"float32": "C0", "bfloat16": "C3"}
    by_step = [row for row in result["rows"] if row["step"] is not None]
    low_rank = [row for row in by_step if row["method"] == "low_rank"]
    usual = low_rank[0]["dropped"]
    curves = [
        (
            [row for row in by_step if row["method"] == "central" and row["dtype"] == dtype],
            f"central, {dtype}",
            color,
            "-",
        )
        for dtype, color in colors.items()
    ]
    curves.append(([row for row in low_rank if row["dropped"] == usual], f"low rank, dropping {usual:g}", "C2", "--"))
    for rows, label, color, style in curves:
        ordered = sorted({row["step"]: row["relative_error"] for row in rows}.items())
        axes.loglog(*zip(*ordered, strict=True), style, marker="o", color=color, label=label)
    for row in result["rows"]:
        if row["method"] == "jvp":
            color = colors[row["dtype"]]
            axes.axhline(row["relative_error"], color=color, linestyle=":", label=f"forward mode, {row['dtype']}")
    axes.set_xlabel("step along the unit-norm direction")
    axes.set_ylabel("relative error of the derivative")
    axes.set_title(f"{result['proxy']}: against forward mode in float64", fontsize=10)
    axes.grid(alpha=0.25, which="both")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=130, format="png")
