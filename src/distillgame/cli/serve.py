"""``distillgame serve``."""

import re
from pathlib import Path
from typing import Any

import click

from distillgame.cli.options import overrides_option

UNITS = {"GB": 1e9, "GiB": 2**30, "TB": 1e12, "TiB": 2**40}


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return a size in bytes."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([GT]i?B)", value)
    if found is None or not float(found[1]):
        raise click.BadParameter(f"'{value}' is no size as in 80GB or 80GiB")
    return float(found[1]) * UNITS[found[2]]


@click.command()
@click.argument("config", required=False)
@click.option("--teacher", help="The reference teacher: a folder, a .gguf file, embedded:NAME or a hub name.")
@click.option("--proxy", help="The defender's stand-in for the student, likewise.")
@click.option("--model", help="The name by which clients request the model.")
@click.option("--engine", type=click.Choice(["distillgame", "vllm"]), help="The engine that samples  [default: ours].")
@click.option("--upstream", metavar="URL", help="Another OpenAI-compatible server that samples, as in http://host/v1.")
@click.option("--ledger", envvar="DISTILLGAME_LEDGER", metavar="URL", help="Database of keys and ledger.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port; 0 picks a free one.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its private key, PEM.")
@click.option("--dry-run", is_flag=True, help="Check the configuration and print the memory it takes; load nothing.")
@click.option("--gpu-memory", callback=_size, metavar="SIZE", help="With --dry-run, a GPU's memory, as in 80GB.")
@overrides_option
def serve(
    config: str | None,
    overrides: dict[str, Any],
    engine: str | None,
    dry_run: bool,
    gpu_memory: float | None,
    **given: Any,
) -> None:
    """Serve a defended model over OpenAI's API.

    CONFIG is a YAML file or the name of a shipped one; without it the embedded pair is served. Create keys with
    `distillgame keys create`.
    """
    from distillgame.gateway.config import load_serving

    if gpu_memory is not None and not dry_run:
        raise click.UsageError("--gpu-memory is for --dry-run")

    places = {"host": "server.host", "port": "server.port", "tls_cert": "server.tls_cert", "tls_key": "server.tls_key",
              "upstream": "upstream.url"}  # fmt: skip
    if engine is not None:
        given["vllm.enabled"] = engine == "vllm"
    chosen = {places.get(name, name): value for name, value in given.items() if value is not None}
    loaded = load_serving(config, {**chosen, **overrides})
    if dry_run:
        from distillgame.gateway.dry_run import estimate

        click.echo(estimate(loaded, gpu_memory))
        return
    from distillgame.gateway.web import serve as run

    run(loaded)
