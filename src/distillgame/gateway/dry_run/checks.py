"""Checks that a start would make, as far as they need no download, weights, port or database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distillgame.errors import DistillgameError
from distillgame.gateway.access import Monitor, read_reference
from distillgame.gateway.backends import UpstreamBackend
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.exchange import Rewritings
from distillgame.gateway.ledger import require_database_url
from distillgame.gateway.telemetry import Metrics
from distillgame.models import ModelSpec, load_without_weights, locate, require_alignable
from distillgame.vllm.launching import require_context, require_plain
from distillgame.vllm.padding import HeadPadding
from distillgame.vllm.vocabulary import draft_model, require_drafting, shared_tokens


@dataclass(frozen=True)
class Checked:
    """The outcome of a check that found nothing wrong.

    Attributes:
        unchecked: What could not be checked here.
        notices: What the provider should know of the start.
    """

    unchecked: Sequence[str]
    notices: Sequence[str] = ()


def check(config: ServeConfig) -> Checked:
    """Check a server's configuration.

    Args:
        config: The owner's configuration.

    Raises:
        DistillgameError: If a start would fail.
    """
    require_database_url(config.ledger)
    monitor = config.monitor
    if monitor.reference is not None:
        Monitor(read_reference(monitor.reference), monitor.window, monitor.false_alarm)
    Rewritings(config, Metrics(lambda: (0, 0)))
    if config.upstream is not None:
        UpstreamBackend(config, config.upstream)
        return Checked([f"the upstream {config.upstream.url} was not asked for its models"])
    for name, path in config.directions.items():
        _check_direction(name, path)
    specs = {"teacher": config.teacher, **config.all_proxies}
    absent = {name: spec for name, spec in specs.items() if not _is_here(spec)}
    found = [
        f"{name}: {spec.source} is not in a folder here: its files, its vocabulary and how far it reads"
        for name, spec in absent.items()
    ]
    if config.uses_vllm:
        checked = _check_vllm(config, absent)
        return replace(checked, unchecked=[*found, *checked.unchecked])
    if "teacher" not in absent:
        for name in config.all_proxies.keys() - absent.keys():
            require_alignable(config.teacher, config.all_proxies[name])
    return Checked(found)


def _is_here(spec: ModelSpec) -> bool:
    """Return whether a model's files are on this machine; those in the hub's cache are not looked for one by one.

    Raises:
        DistillgameError: If a shipped name, a package or a local file does not exist.
    """
    return spec.source.startswith("init:") or locate(spec.source).local


def _check_direction(name: str, path: Path) -> None:
    """Read the names of a direction's tensors, and leave the tensors."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            file.keys()
    except Exception as error:  # safetensors has errors of its own for damaged files
        raise DistillgameError(f"directions.{name}: {path}: {' '.join(str(error).split())}") from error


def _check_vllm(config: ServeConfig, absent: Mapping[str, ModelSpec]) -> Checked:
    assert config.vllm is not None
    require_plain(config.teacher, config.all_proxies)
    if config.directions and config.teacher.dtype not in ("auto", "float32"):
        raise DistillgameError(
            f"directions: derivatives need float32 in vLLM (found '{config.teacher.dtype}'): say 'dtype: float32' of "
            "the teacher and its proxies"
        )
    proxies = {name: load_without_weights(spec) for name, spec in config.all_proxies.items() if name not in absent}
    for name, proxy in proxies.items():
        HeadPadding(proxy.model.config)
        if config.vllm.max_model_len is not None:
            require_context(name, proxy.model.config, config.vllm.max_model_len)
    notices: list[str] = []
    drafter = draft_model(config.vllm.arguments)
    if "teacher" not in absent:
        teacher = load_without_weights(config.teacher)
        HeadPadding(teacher.model.config)
        notices = shared_tokens(teacher, proxies).notices(teacher, proxies)
        if drafter is not None and locate(drafter).local:
            require_drafting(teacher, config.vllm.arguments)
    return Checked(["vLLM was not imported: its version, and the names and values of 'vllm.arguments'"], notices)
