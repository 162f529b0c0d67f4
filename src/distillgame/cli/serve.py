"""``distillgame serve``."""

from pathlib import Path
from typing import Any

import click

from distillgame.cli.options import overrides_option


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
@overrides_option
def serve(config: str | None, overrides: dict[str, Any], engine: str | None, **given: Any) -> None:
    """Serve a defended model over OpenAI's API.

    CONFIG is a YAML file or the name of a shipped one; without it the embedded pair is served. Create keys with
    `distillgame keys create`.
    """
    from distillgame.gateway.config import load_serving
    from distillgame.gateway.web import serve as run

    places = {"host": "server.host", "port": "server.port", "tls_cert": "server.tls_cert", "tls_key": "server.tls_key",
              "upstream": "upstream.url"}  # fmt: skip
    if engine is not None:
        given["vllm.enabled"] = engine == "vllm"
    chosen = {places.get(name, name): value for name, value in given.items() if value is not None}
    run(load_serving(config, {**chosen, **overrides}))
