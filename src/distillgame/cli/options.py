"""Options that several verbs share."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click
import yaml

from distillgame.documents import parse_yaml

F = TypeVar("F", bound=Callable[..., Any])


def config_argument(function: F) -> F:
    """The configuration, the default game by default."""
    return click.argument("config", required=False)(function)


def overrides_option(function: F) -> F:
    """``--set NAME=VALUE``, any number of times."""
    return click.option(
        "--set", "-s", "overrides", multiple=True, metavar="NAME=VALUE", callback=_overrides,
        help="Replace a value of the configuration, as in sampling.temperature=0.7 (the value is YAML).",
    )(function)  # fmt: skip


def quick_option(function: F) -> F:
    """``--quick``."""
    return click.option("--quick", is_flag=True, help="Apply the configuration's 'quick' section.")(function)


def assignments(pairs: tuple[str, ...], what: str) -> dict[str, Any]:
    """Parse ``NAME=VALUE`` pairs, values as YAML."""
    result = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"'{pair}' is not of the form {what}")
        try:
            result[name] = parse_yaml(value)
        except yaml.YAMLError as error:
            raise click.BadParameter(f"'{pair}': the value is not YAML") from error
    return result


def yaml_value(text: str, where: str) -> Any:
    """Parse an option's value as YAML."""
    try:
        return parse_yaml(text)
    except yaml.YAMLError as error:
        raise click.BadParameter(f"{where}: '{text}' is not YAML") from error


def _overrides(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, Any]:
    return assignments(value, "NAME=VALUE")


def ledger_options(function: F) -> F:
    """The server's configuration or its database; the command gets the ledger's ``location``."""

    @click.option("--config", "-c", "source", help="The server's configuration [default: the embedded pair's].")
    @click.option("--ledger", "url", envvar="DISTILLGAME_LEDGER", metavar="URL", help="Database of keys and ledger.")
    @functools.wraps(function)
    def command(*arguments: Any, source: str | None, url: str | None, **options: Any) -> Any:
        # Here, because SQLAlchemy would delay the start of all other commands.
        from distillgame.gateway.ledger import find_ledger

        return function(*arguments, location=find_ledger(source, url), **options)

    return command  # type: ignore[return-value]
