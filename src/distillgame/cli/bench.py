"""``distillgame bench``."""

from pathlib import Path
from typing import Literal

import click
from rich.console import Console


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
def bench(out: Path, quick: bool, engine: str, device: Literal["cpu", "cuda"] | None) -> None:
    """Time every defense in this engine against its floor, and against transformers.

    Writes bench.json, bench.md and bench.png. Run it on an idle machine; interrupted, it goes on where it was.
    """
    from distillgame.arena.bench.run import FULL, QUICK
    from distillgame.arena.bench.run import bench as run
    from distillgame.arena.bench.through_vllm import FULL_VLLM, QUICK_VLLM, bench_vllm
    from distillgame.models import pick_device, quiet

    chosen = pick_device(device or "auto", "--device")
    quiet()
    console = Console(stderr=True)
    with console.status("setting up") as status:

        def show(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                click.echo(text, err=True)

        if engine == "vllm":
            bench_vllm(out, QUICK_VLLM if quick else FULL_VLLM, chosen, show)
        else:
            run(out, QUICK if quick else FULL, chosen, show)
    click.echo((out / ("bench.vllm.md" if engine == "vllm" else "bench.md")).read_text())
    click.echo(f"written to {out}")
