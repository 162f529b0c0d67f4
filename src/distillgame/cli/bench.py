"""``distillgame bench``."""

import re
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

ADDRESS = re.compile(r"auto|local|[^\s/]+:\d+")


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not ADDRESS.fullmatch(value):
        raise click.BadParameter(f"'{value}' is not 'auto', 'local' or HOST:PORT")
    return value


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/bench"), show_default=True)
@click.option("--quick", is_flag=True, help="Fewer batches and repetitions: 4 to 6 minutes on two cores.")
@click.option(
    "--engine",
    type=click.Choice(["distillgame", "vllm"]),
    default="distillgame",
    show_default=True,
    help="vllm: the defenses inside vLLM, next to vLLM as it is. Writes bench.vllm.json and bench.vllm.md.",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Where to run [default: a GPU if there is one].")
@click.option(
    "--address",
    metavar="CLUSTER",
    callback=_address,
    help="Run on a node of a Ray cluster, alone there: auto, local or HOST:PORT, as compute.address.",
)
def bench(
    out: Path,
    quick: bool,
    engine: Literal["distillgame", "vllm"],
    device: Literal["cpu", "cuda"] | None,
    address: str | None,
) -> None:
    """Time every defense in this engine against its floor, and against transformers.

    Writes bench.json, bench.md and bench.png. Run it on an idle machine; interrupted, it goes on where it was.
    """
    from distillgame.arena.bench.anywhere import bench_here, bench_on_cluster

    console = Console(stderr=True)
    with console.status("setting up") as status:

        def show(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                click.echo(text, err=True)

        if address is None:
            bench_here(out, engine, quick, device or "auto", show)
        else:
            bench_on_cluster(address, out, engine, quick, device or "auto", show)
    click.echo((out / ("bench.vllm.md" if engine == "vllm" else "bench.md")).read_text())
    click.echo(f"written to {out}")
