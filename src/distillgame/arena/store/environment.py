"""The environment that a stage was computed in, and the refusal of nodes that differ."""

import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from distillgame.arena.stages import library_versions, vllm_version
from distillgame.errors import DistillgameError

DRIVER = Path("/sys/module/nvidia/version")
"""Where Linux says which NVIDIA driver it has loaded."""


@cache
def environment() -> dict[str, Any]:
    """Return this node's name, Python, libraries, and GPUs with their driver, as a manifest records them."""
    import torch

    gpus = [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())]
    return {
        "node": platform.node(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": library_versions() | vllm_version(),
        "gpus": gpus,
        "driver": DRIVER.read_text().strip() if gpus and DRIVER.is_file() else None,
        "cuda": torch.version.cuda if gpus else None,
    }


def require_same(driver: dict[str, Any]) -> None:
    """Check that this node computes with what the node that plays the run has.

    GPUs may differ: the kind of device is part of every stage's key, and the manifest says which card it was.

    Args:
        driver: The environment of the node that plays the run.

    Raises:
        DistillgameError: If Python or a library is of another version, naming both nodes.
    """
    own = environment()
    pairs = {"Python": (own["python"], driver["python"])}
    names = sorted({*own["libraries"], *driver["libraries"]})
    pairs |= {name: (own["libraries"].get(name), driver["libraries"].get(name)) for name in names}
    differing = [
        f"{name} {one or 'missing'} here, {other or 'missing'} there"
        for name, (one, other) in pairs.items()
        if one != other
    ]
    if differing:
        raise DistillgameError(
            f"node {own['node']} (process {os.getpid()}) may not share the run of node {driver['node']}: "
            f"{'; '.join(differing)}; install the same versions on both"
        )
