"""``distillgame bench``."""

from pathlib import Path

import click
from rich.console import Console


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/bench"), show_default=True)
@click.option("--quick", is_flag=True, help="Fewer batches and repetitions: under 5 minutes on two cores.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Where to run [default: a GPU if there is one].")
def bench(out: Path, quick: bool, device: str | None) -> None:
    """Time every defense in this engine against its floor, and against transformers.

    Writes bench.json, bench.md and bench.png. Run it on an idle machine; interrupted, it goes on where it was.
    """
    import torch

    from distillgame.arena.bench.run import FULL, QUICK
    from distillgame.arena.bench.run import bench as run
    from distillgame.models import quiet

    if device == "cuda" and not torch.cuda.is_available():
        raise click.BadParameter("there is no GPU here; use --device cpu")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    quiet()
    console = Console(stderr=True)
    with console.status("setting up") as status:

        def show(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                click.echo(text, err=True)

        run(out, QUICK if quick else FULL, device, show)
    click.echo((out / "bench.md").read_text())
    click.echo(f"written to {out}")
