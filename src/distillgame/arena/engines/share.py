"""The share of the machine that belongs to one of several workers."""

import os

import torch

from distillgame.arena.stages import PROCESSORS


def share(device: str, number: int, workers: int, gpus: int) -> dict[str, str]:
    """Return the environment that gives a worker GPUs, or processors for vLLM, of its own.

    Args:
        device: Where networks run, ``cpu`` or ``cuda``.
        number: The worker's number, from 0.
        workers: Number of workers.
        gpus: Number of GPUs that each may use.
    """
    if device == "cuda":
        visible = _visible_gpus()
        places = range(number * gpus, (number + 1) * gpus)
        return {"CUDA_VISIBLE_DEVICES": ",".join(dict.fromkeys(visible[place % len(visible)] for place in places))}
    # vLLM binds its threads, and two that were bound to the same processors would wait for each other.
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    own = processors[number % len(processors) :: workers] if processors else []
    return {PROCESSORS: ",".join(map(str, own))}


def _visible_gpus() -> list[str]:
    """Return the GPUs that this process may use."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [name for name in listed if name] or [str(i) for i in range(torch.cuda.device_count())]
