"""The networks that a server loads, with their sizes."""

from distillgame.gateway.config import Sampled, ServeConfig
from distillgame.models import Footprint, ModelSpec, cache_shape, count_parameters, pick_device
from distillgame.vllm.memory import CACHE_BYTES, footprint, network_copies


def vllm_networks(config: ServeConfig, planned: bool) -> list[Footprint]:
    """Return the networks of vLLM's one engine: the teacher and all proxies, each twice that has a direction.

    Args:
        config: The owner's configuration.
        planned: Whether they are meant for a GPU, of this machine or not.
    """
    assert config.vllm is not None
    on_gpu = planned or pick_device("auto", "vllm") == "cuda"
    each = _bytes(config.teacher, on_gpu and not config.directions)
    cached = CACHE_BYTES.get(config.vllm.arguments.get("kv_cache_dtype", "auto"))
    specs = {"teacher": config.teacher, **config.all_proxies}
    copies = network_copies({name: name in config.directions for name in config.all_proxies})
    return [footprint(name, spec, count_parameters(spec), each, copies[name], cached) for name, spec in specs.items()]


def own_networks(config: ServeConfig, planned: bool) -> list[Footprint]:
    """Return the networks of our engines: teacher, proxies and, at most, two float32 copies for a proxy's derivative.

    Args:
        config: The owner's configuration.
        planned: Whether they are meant for a GPU, of this machine or not.
    """
    on_gpu = planned or pick_device(config.engine.device, "engine.device") == "cuda"
    specs = {"teacher": config.teacher, **config.all_proxies}
    # Engines share the copies at which they take the derivative.
    derived = [name for policy in config.sampled.values() if policy.needs_delta for name in policy.proxy_names]
    return [_own(name, spec, _bytes(spec, on_gpu)) for name, spec in specs.items()] + [
        _own(_moved(name), specs[name], 4, 2) for name in dict.fromkeys(derived)
    ]


def cached_names(config: ServeConfig, sampled: Sampled) -> list[str]:
    """Return the names of the networks whose keys and values the engine of a policy keeps."""
    policy = config.sampled[sampled]
    if policy.needs_delta:
        return ["teacher", *map(_moved, policy.proxy_names)]
    drafting = config.engine.speculative and all(name in config.all_proxies for name in policy.proxies)
    return ["teacher", *(policy.proxies if drafting else policy.proxy_names)]


def _moved(name: str) -> str:
    return f"{name} ± t·g"


def _own(name: str, spec: ModelSpec, each: int, copies: int = 1) -> Footprint:
    return Footprint(name, count_parameters(spec), cache_shape(spec), each, each, copies)


def _bytes(spec: ModelSpec, halved: bool) -> int:
    """Return the bytes of a number, given whether it has two where the configuration leaves it open."""
    if spec.dtype == "auto":
        return 2 if halved else 4
    return 4 if spec.dtype == "float32" else 2
