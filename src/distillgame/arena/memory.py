"""The memory that a game takes, estimated without downloading or running anything."""

from collections.abc import Mapping, Sequence

import torch

from distillgame.arena.config import GameConfig
from distillgame.arena.engines.needs import TRAINING_BYTES
from distillgame.models import ModelSpec, total
from distillgame.vllm.memory import footprint, network_copies

GIGA = 1e9

GRADIENT_BYTES = 12
"""Bytes a float32 parameter takes in the defender's gradient: weight, one batch's gradient and the sum."""

Sizes = dict[str, float | None]
"""Numbers of parameters by role or proxy; None where they are unknown."""


def memory(config: GameConfig, sizes: Sizes) -> dict[str, str]:
    """Return what takes memory, and how much at most: weights and optimiser, and with vLLM keys and values.

    Args:
        config: The game.
        sizes: Numbers of parameters.
    """
    sampling = (
        {"sampling": _sampling(config, sizes)} if config.sampling.engine is None else {"vLLM": _vllm(config, sizes)}
    )
    return sampling | {"gradient": _gradient(config, sizes), "training": _training(config, sizes)}


def _vllm(config: GameConfig, sizes: Sizes) -> str:
    """Of the engine with most networks: the teacher, and a policy's proxies, each twice where it needs derivatives."""
    assert config.sampling.engine is not None
    specs = {"teacher": config.teacher, **config.all_proxies}
    gpus = config.sampling.engine.tensor_parallel_size
    weights, cached = [], []
    for defense in config.policies:
        policy = defense.policy
        # Differences of passes need float32, for all networks.
        each = 4 if policy.needs_delta else _bytes(config.teacher)
        copies = network_copies(dict.fromkeys(policy.proxy_names, policy.needs_delta))
        networks = [footprint(name, specs[name], sizes[name], each, count) for name, count in copies.items()]
        if unknown := [network.name for network in networks if network.weights is None]:
            return f"unknown (say 'parameters' of {unknown[0]})"
        weights.append(total(network.weights for network in networks) or 0)
        cached.append({network.name: network.token_bytes(gpus) for network in networks})
    split = f" over {gpus} GPUs" if gpus > 1 else ""
    keys = _keys(cached, gpus)
    return f"{max(weights) / GIGA:.3g} GB{split} for the networks of one policy; their keys and values: {keys}"


def _keys(cached: Sequence[Mapping[str, int | None]], gpus: int) -> str:
    """Of the policy that takes most, given the bytes of one token on each GPU by policy and network."""
    if unknown := [name for networks in cached for name, size in networks.items() if size is None]:
        return f"unknown (say 'cache' of {unknown[0]}, or download it)"
    each = max(total(networks.values()) or 0 for networks in cached)
    return f"{each / 1e6:.3g} MB per token" + (" on each GPU" if gpus > 1 else "")


def _sampling(config: GameConfig, sizes: Sizes) -> str:
    teacher = sizes["teacher"]
    if teacher is None:
        return "unknown (say 'parameters' of the teacher)"
    # Two perturbed float32 copies for ADS beside the proxy itself.
    delta = any(defense.policy.needs_delta for defense in config.policies)
    proxies = sum((sizes[name] or 0) * (_bytes(spec) + 8 * delta) for name, spec in config.all_proxies.items())
    return f"{(teacher * _bytes(config.teacher) + proxies) / GIGA:.3g} GB"


def _gradient(config: GameConfig, sizes: Sizes) -> str:
    if not any(defense.policy.needs_delta for defense in config.policies):
        return "none"
    known = [sizes[name] for name in config.all_proxies]
    largest = max((size for size in known if size is not None), default=None)
    if largest is None or None in known:
        return "unknown (say 'parameters' of the proxy)"
    return f"{largest * GRADIENT_BYTES / GIGA:.3g} GB"


def _training(config: GameConfig, sizes: Sizes) -> str:
    student = sizes["student"]
    if student is None:
        return "unknown (say 'parameters' of the student)"
    each = 4 if config.training.lora else TRAINING_BYTES
    return f"{student * each / GIGA:.3g} GB" + (" and the adapters" if config.training.lora else "")


def _bytes(spec: ModelSpec) -> int:
    on_gpu = torch.cuda.is_available()
    return 4 if spec.dtype == "float32" or (spec.dtype == "auto" and not on_gpu) else 2
