"""The memory of a server's networks, and of their keys and values."""

from collections.abc import Sequence

from distillgame.gateway.config import ServeConfig
from distillgame.gateway.dry_run.checks import check
from distillgame.gateway.dry_run.networks import own_networks, vllm_networks
from distillgame.gateway.dry_run.room import amount, own_room, vllm_room
from distillgame.models import Footprint, total


def estimate(config: ServeConfig, memory: float | None = None) -> str:
    """Check a server's configuration as a start would, and describe its networks and the memory that they take.

    Nothing is downloaded, no weights are loaded, no port is opened and no ledger is written.

    Args:
        config: The owner's configuration.
        memory: Memory of one GPU in bytes; None if the server is meant for this machine as it is.

    Raises:
        DistillgameError: If a start would fail, or the networks do not fit the memory.
    """
    checked = check(config)
    lines = [f"model {config.model}: policies {', '.join(config.policies)}; tiers {', '.join(config.tiers)}", ""]
    if config.upstream is not None:
        lines += [f"{config.upstream.url} samples: no network is loaded here"]
    elif config.uses_vllm:
        assert config.vllm is not None
        gpus, networks = config.vllm.tensor_parallel_size, vllm_networks(config, memory is not None)
        lines += [f"vLLM samples, in one engine{_split(gpus)}", "", *_table(config, networks, gpus)]
        lines += ["", *vllm_room(config, networks, memory)]
    else:
        networks = own_networks(config, memory is not None)
        lines += [f"our engine samples, once per policy: {len(config.sampled)} engines over the same networks", ""]
        lines += [*_table(config, networks, 1), "", *own_room(config, networks, memory)]
    for title, found in (("to know", checked.notices), ("not checked", checked.unchecked)):
        lines += ["", title, *(f"  {line}" for line in found)] if found else []
    return "\n".join([*lines, "", "nothing was downloaded, loaded, opened or written"])


def _split(gpus: int) -> str:
    return f", every network split over {gpus} GPUs" if gpus > 1 else ""


def _table(config: ServeConfig, networks: Sequence[Footprint], gpus: int) -> list[str]:
    sources = {"teacher": config.teacher.source} | {name: spec.source for name, spec in config.all_proxies.items()}
    each = " on each GPU" if gpus > 1 else ""
    rows = [["network", "parameters", f"weights{each}", f"keys and values of a token{each}", ""]]
    for network in networks:
        twice = f"{network.copies} x " if network.copies > 1 else ""
        rows.append(
            [network.name, twice + _count(network.parameters), *_sizes([network], gpus), sources.get(network.name, "")]
        )
    rows.append(["in all", "", *_sizes(networks, gpus), ""])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in (1, 2, 3)), row[4]]).rstrip()
        for row in rows
    ]


def _sizes(networks: Sequence[Footprint], gpus: int) -> list[str]:
    weights = total(network.weights for network in networks)
    cached = total(network.token_bytes(gpus) for network in networks)
    return [
        "unknown" if weights is None else amount(weights / gpus),
        "unknown" if cached is None else f"{cached:,.0f} B",
    ]


def _count(parameters: float | None) -> str:
    if parameters is None:
        return "unknown"
    return f"{parameters / 1e9:.2f}B" if parameters >= 1e8 else f"{parameters / 1e6:.2f}M"
