"""The tables of ``distillgame bench --engine vllm``."""

from typing import Any

EXPLANATION = """Cost is the time per token relative to vLLM as it is with the teacher alone, in turns of the same
batch, in brackets the range. The proxy reads along under every policy, an undefended one too, because KL and value are
measured. Rows with drafts are greedy, and so is what they are compared with. A shaped pair has random weights."""


def render_vllm_bench(result: dict[str, Any]) -> str:
    """Return all tables as Markdown."""
    versions = result["versions"]
    lines = ["# Time costs inside vLLM", "", EXPLANATION, ""]
    lines.append(
        f"Measured by `{result['command']}` on {result['machine']}; vLLM {versions.get('vllm', '?')}, torch "
        f"{versions['torch']}."
    )
    for pair in dict.fromkeys(row["pair"] for row in result["rows"]):
        lines += ["", f"## {pair}", "", "| engine | temperature | policy | batch | tokens/s | cost |"]
        lines += ["| --- | ---: | --- | ---: | ---: | ---: |"]
        lines += [_row(row) for row in result["rows"] if row["pair"] == pair]
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> str:
    spread = "" if row["cost_min"] == row["cost_max"] else f" ({row['cost_min']:.2f} to {row['cost_max']:.2f})"
    return (
        f"| {row['engine']} | {row['temperature']:g} | {row['policy']} | {row['batch']} | "
        f"{row['tokens_per_second']:,.0f} | {row['cost']:.2f}{spread} |"
    )
