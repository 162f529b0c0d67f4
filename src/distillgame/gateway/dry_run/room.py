"""The room that weights leave for keys and values."""

from collections.abc import Sequence

from distillgame.errors import DistillgameError
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.dry_run.networks import cached_names
from distillgame.models import Footprint, local_config, pick_device, total
from distillgame.vllm.arguments import VllmArguments
from distillgame.vllm.launching import CPU_CACHE
from distillgame.vllm.memory import BLOCK, CPU_BLOCK, UTILIZATION, Pool


def amount(size: float) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def vllm_room(config: ServeConfig, networks: Sequence[Footprint], memory: float | None) -> list[str]:
    """Describe vLLM's pool of keys and values: its division, and what fits.

    Args:
        config: The owner's configuration.
        networks: The networks.
        memory: Memory of one GPU in bytes; None without one that is planned for.

    Raises:
        DistillgameError: If the weights alone, or one sequence of the greatest length, do not fit.
    """
    assert config.vllm is not None
    gpus, settings = config.vllm.tensor_parallel_size, config.vllm
    weights = total(network.weights for network in networks)
    lines = [f"say {unknown}" for unknown in _unknown(networks)]
    taken = None if memory is None else memory * _part(settings)
    if weights is not None and taken is not None:
        _require_weights(weights / gpus, taken, "raise 'vllm.tensor_parallel_size', or take")
    token = total(network.token_bytes(gpus) for network in networks)
    if token is None:
        return lines
    stated = settings.arguments.get("block_size")
    on_gpu = memory is not None or pick_device("auto", "vllm") == "cuda"
    block = stated if isinstance(stated, int) else BLOCK if on_gpu else CPU_BLOCK
    shares = ", ".join(f"{network.name} {(network.token_bytes(gpus) or 0) / token:.0%}" for network in networks)
    lines += [f"one pool of blocks for all networks; a block holds {block} tokens of each: {shares}"]
    room = _room(settings, weights, taken)
    if room is None:
        return [*lines, *(["say --gpu-memory, as in 80GB, to see how many tokens fit"] if memory is None else [])]
    pool = Pool(room, int(token), block)
    each = " on each GPU" if gpus > 1 else ""
    lines += [f"at most {amount(room)}{each} for keys and values: {pool.tokens:,} tokens"]
    longest = _longest(config)
    if longest is None:
        return [*lines, "say 'vllm.max_model_len' to see how many sequences fit"]
    if not (count := pool.sequences(longest)):
        raise DistillgameError(
            f"one sequence of {longest} tokens does not fit the {pool.tokens} tokens of keys and values that there is "
            "room for: lower 'vllm.max_model_len', or raise 'vllm.tensor_parallel_size'"
        )
    batch = config.engine.batch_size
    return [*lines, f"at most {count:,} sequences of {longest:,} tokens at once ('engine.batch_size' is {batch})"]


def own_room(config: ServeConfig, networks: Sequence[Footprint], memory: float | None) -> list[str]:
    """Describe the keys and values of our engines, and what of a GPU's memory is left.

    Args:
        config: The owner's configuration.
        networks: The networks.
        memory: Memory of the GPU in bytes; None without one that is planned for.

    Raises:
        DistillgameError: If the weights alone do not fit.
    """
    weights = total(network.weights for network in networks)
    lines = [f"say {unknown}" for unknown in _unknown(networks)]
    if weights is not None and memory is not None:
        _require_weights(weights, memory, "take")
    sizes = {network.name: network.token_bytes() for network in networks}
    token = total(sizes[name] for sampled in config.sampled for name in cached_names(config, sampled))
    budget = config.engine.token_budget
    if token is not None:
        lines += [
            f"keys and values of 'engine.token_budget', {budget:,} tokens, in every engine: {amount(token * budget)}"
        ]
    if weights is not None and memory is not None:
        lines += [f"{amount(memory - weights)} are left for them and for all else"]
    return lines


def _part(settings: VllmArguments) -> float:
    """Return the part of a GPU's memory that vLLM may take."""
    part = settings.arguments.get("gpu_memory_utilization", UTILIZATION)
    if not isinstance(part, int | float) or not 0 < part <= 1:
        raise DistillgameError(f"vllm.arguments.gpu_memory_utilization: a number from 0 to 1 (found {part!r})")
    return part


def _room(settings: VllmArguments, weights: float | None, taken: float | None) -> float | None:
    """Return the bytes for keys and values on each GPU, or on the CPU; None if nothing tells them."""
    stated = settings.arguments.get("kv_cache_memory_bytes")
    if isinstance(stated, int):
        return stated
    if taken is not None:
        return None if weights is None else taken - weights / settings.tensor_parallel_size
    on_cpu = pick_device("auto", "vllm") == "cpu" and "gpu_memory_utilization" not in settings.arguments
    return CPU_CACHE if on_cpu else None


def _longest(config: ServeConfig) -> int | None:
    """Return the greatest length of a sequence: the owner's, or the teacher's own if it is known here."""
    assert config.vllm is not None
    own = getattr(local_config(config.teacher), "max_position_embeddings", None)
    return config.vllm.max_model_len or own


def _require_weights(weights: float, most: float, advice: str) -> None:
    if weights > most:
        raise DistillgameError(
            f"the weights alone take {amount(weights)} on each GPU, and {amount(most)} of its memory may be taken: "
            f"{advice} a larger GPU, smaller networks or another 'dtype'"
        )


def _unknown(networks: Sequence[Footprint]) -> list[str]:
    return [
        f"'{field}' of {network.name}, or download it: {what} unknown"
        for network in networks
        for field, value, what in (
            ("parameters", network.parameters, "its weights are"),
            ("cache", network.cache, "its keys and values are"),
        )
        if value is None
    ]
