"""The results of a bench, as Markdown and as a figure."""

from pathlib import Path
from typing import Any

EXPLANATION = """Costs are medians over interleaved, paired repetitions, with their range.

*Cost* is seconds per token relative to standard sampling in the same engine. *Floor* is the cost of the passes alone
without speculation: 1 + c for PoE and 1 + 2c for ADS, where c is the time of the proxy's pass relative to the teacher's
in the same run, at the proxy's own precision (ADS needs float32, so a bfloat16 proxy cannot reach that floor). *Over
transformers* is throughput relative to `generate` with a logits processor, at the same policy and batch. A shaped pair
has networks of the stated sizes with random weights, on the token stream and with the acceptance of the embedded pair:
it measures the cost of passes and nothing else. On a CPU each of its networks runs in the precision that is faster at
that batch; the teacher may run in another one where it verifies drafts."""


def render_bench(*results: dict[str, Any]) -> str:
    """Return all tables of benches as Markdown; those of several machines are summed up first."""
    lines = ["# Time costs", "", EXPLANATION]
    if len(results) > 1:
        lines += ["", "## On each machine", "", *_summary(results)]
    for result in results:
        lines += _sections(result, f" on {result['machine']}" if len(results) > 1 else "")
    return "\n".join(lines) + "\n"


def _summary(results: tuple[dict[str, Any], ...]) -> list[str]:
    """Return the costs of drafting on shaped pairs, machine by machine."""
    lines = [
        "| machine | batch | undefended, speculating | PoE | PoE, speculating | ADS, speculating | 1 / 9 tokens (ms) |"
    ]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    wanted = ["standard speculative", "poe", "poe speculative", "ads low rank speculative"]
    for result in results:
        shaped = [row for row in result["rows"] if row["pair"] != "embedded"]
        for batch in sorted({row["batch"] for row in shaped}):
            costs = {_label(row): _range(row["time_cost"]) for row in shaped if row["batch"] == batch}
            (passes, *_) = (p for p in result["passes"] if p["pair"] == shaped[0]["pair"] and p["batch"] == batch)
            times = f"{passes['teacher_ms'][0]:.0f} / {passes['teacher_ms'][8]:.0f}"
            cells = " | ".join(costs[label] for label in wanted)
            lines.append(f"| {result['machine']} | {batch} | {cells} | {times} |")
    return lines


def _sections(result: dict[str, Any], place: str) -> list[str]:
    """Return one machine's tables."""
    versions = result["versions"]
    made = f"Measured by `{result['command']}` on {result['machine']}; torch {versions['torch']}, transformers "
    lines = []
    for number, pair in enumerate(dict.fromkeys(row["pair"] for row in result["rows"])):
        lines += ["", f"## {pair}{place}", ""]
        if number == 0:
            lines += [f"{made}{versions['transformers']}.", ""]
        lines += ["| batch | policy | tokens/s | cost | floor | accepted | over transformers |"]
        lines += ["| ---: | --- | ---: | ---: | ---: | ---: | ---: |"]
        lines += [_row(row) for row in result["rows"] if row["pair"] == pair]
        lines += ["", *_passes([row for row in result["passes"] if row["pair"] == pair])]
    return lines + _long_tail(result["long_tail"], place) + _growth(result["growth"], place)


def _passes(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| batch | sampling | teacher in | 1 / 2 / 3 / 5 / 9 tokens per row (ms) | proxy in | (ms) | c |"]
    lines += ["| ---: | --- | --- | ---: | --- | ---: | ---: |"]
    for row in rows:
        widths = " / ".join(f"{row['teacher_ms'][width - 1]:.1f}" for width in (1, 2, 3, 5, 9))
        lines.append(
            f"| {row['batch']} | {row['sampling']} | {row['teacher_precision']} | {widths} "
            f"| {row['proxy_precision']} | {row['proxy_ms']:.1f} | {row['c']:.2f} |"
        )
    return lines


def _long_tail(rows: list[dict[str, Any]], place: str) -> list[str]:
    lines = ["", f"## Long-tailed lengths (log-normal, sigma 1, at most 16 times the median){place}", ""]
    lines += ["| pair | policy | batch | sequences | tokens/s | transformers | ratio |"]
    lines += ["| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for row in rows:
        ours, theirs = row["tokens_per_second"], row["tokens_per_second_transformers"]
        lines.append(
            f"| {row['pair']} | {row['policy']} | {row['batch']} | {row['sequences']} | {_range(ours, 0)} "
            f"| {_range(theirs, 0)} | {_range(row['speedup'])} |"
        )
    return lines


def _growth(rows: list[dict[str, Any]], place: str) -> list[str]:
    if not rows:
        return []
    lines = ["", f"## Growth of the cost, at batch 8{place}", ""]
    lines += ["| vocabulary | trace length | policy | c | cost |", "| ---: | ---: | --- | ---: | ---: |"]
    for row in rows:
        if row["policy"] != "standard":
            name = f"{row['policy']}{' speculative' if row['speculative'] else ''}"
            cost = _range(row["time_cost"])
            lines.append(f"| {row['vocabulary']:,} | {row['trace_length']} | {name} | {row['c']:.2f} | {cost} |")
    return lines


def draw_bench(result: dict[str, Any], path: Path) -> None:
    """Draw the costs by batch, one panel per pair, as PNG."""
    from matplotlib.figure import Figure

    pairs = list(dict.fromkeys(row["pair"] for row in result["rows"]))
    figure = Figure(figsize=(6 * len(pairs), 4.2), layout="constrained")
    for axes, pair in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        rows = [row for row in result["rows"] if row["pair"] == pair and row["engine"] == "distillgame"]
        batches = sorted({row["batch"] for row in rows})
        for i, label in enumerate(dict.fromkeys(_label(row) for row in rows)):
            mine = sorted((row for row in rows if _label(row) == label), key=lambda row: row["batch"])
            costs = [row["time_cost"] for row in mine]
            places = [batches.index(row["batch"]) + 0.04 * (i - 3) for row in mine]
            medians = [cost["median"] for cost in costs]
            spread = [[c["median"] - c["min"] for c in costs], [c["max"] - c["median"] for c in costs]]
            axes.errorbar(places, medians, yerr=spread, marker="o", capsize=2, label=label,
                          linestyle="--" if mine[0]["speculative"] else "-")  # fmt: skip
        axes.axhline(1.0, color="grey", linewidth=1, linestyle=":")
        axes.set_xticks(range(len(batches)), [str(batch) for batch in batches])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("batch")
        axes.set_ylabel("time per token, relative to undefended sampling")
        axes.set_title(pair, fontsize=10)
        axes.grid(alpha=0.25)
    # Beside the panels, because every corner of them may have points.
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, loc="outside right center")
    figure.savefig(path, dpi=130, format="png")


def _row(row: dict[str, Any]) -> str:
    speed = _range(row["tokens_per_second"], 0)
    floor, accepted = ("" if x is None else f"{x:.2f}" for x in (row["floor"], row["acceptance"]["median"]))
    return (
        f"| {row['batch']} | {_label(row)} | {speed} | {_range(row['time_cost'])} | {floor} | {accepted} "
        f"| {_range(row['speedup_over_transformers'])} |"
    )


def case_name(policy: str, derivative: str | None, speculative: bool, engine: str) -> str:
    """Return the name of a way to sample in tables and figures."""
    words = [policy, (derivative or "").replace("_", " "), "speculative" if speculative else ""]
    return " ".join(word for word in words if word) + (" (transformers)" if engine == "transformers" else "")


def _label(row: dict[str, Any]) -> str:
    return case_name(row["policy"], row["derivative"], row["speculative"], row["engine"])


def _range(values: dict[str, float], digits: int = 2) -> str:
    return f"{values['median']:.{digits}f} ({values['min']:.{digits}f} to {values['max']:.{digits}f})"
