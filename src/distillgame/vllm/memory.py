"""The memory of a defended model in vLLM, estimated without vLLM."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from distillgame.models import Footprint, ModelSpec, cache_shape
from distillgame.vllm.padding import SMALLEST

BLOCK = 16
"""Tokens of a block on a GPU, unless ``block_size`` says otherwise."""

CPU_BLOCK = 128
"""Tokens of a block on a CPU, unless ``block_size`` says otherwise."""

UTILIZATION = 0.92
"""Part of a GPU's memory that vLLM 0.32 takes, unless ``gpu_memory_utilization`` says otherwise."""

CACHE_BYTES = {"auto": None, "bfloat16": 2, "float16": 2, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1}
"""Bytes of a number in keys and values by ``kv_cache_dtype``; None for those of the weights."""


def footprint(
    name: str, spec: ModelSpec, parameters: float | None, each: int, copies: int = 1, cached: int | None = None
) -> Footprint:
    """Return the memory of one network of a defended model: its heads are padded to the smallest size of a kernel.

    Args:
        name: Its name.
        spec: The model.
        parameters: Number of its parameters.
        each: Bytes of a weight.
        copies: Number of networks: two at theta ± t·g.
        cached: Bytes of a number in keys and values, if not ``each``.
    """
    shape = cache_shape(spec)
    if shape is not None:
        shape = shape.model_copy(update={"size": max(shape.size, SMALLEST)})
    return Footprint(name, parameters, shape, each, cached or each, copies)


def network_copies(proxies: Mapping[str, bool]) -> dict[str, int]:
    """Return the number of networks of teacher and proxies, given for each proxy whether its derivative is needed."""
    return {"teacher": 1} | {name: 2 if derived else 1 for name, derived in proxies.items()}


@dataclass(frozen=True)
class Pool:
    """vLLM's pool of blocks on one GPU, which holds keys and values of all networks.

    As long as every network attends to the whole text, vLLM puts the layers of all into one group
    (``UniformTypeKVCacheSpecs``): a block holds the same tokens of each, whatever their shapes, and a token takes the
    sum of their bytes. Nothing is divided in advance.

    Attributes:
        room: Bytes for keys and values.
        token: Bytes of one token in all networks.
        block: Tokens of a block.
    """

    room: float
    token: int
    block: int = BLOCK

    @property
    def blocks(self) -> int:
        """Number of blocks that sequences can have; vLLM keeps one for itself."""
        return max(0, int(self.room // (self.token * self.block)) - 1)

    @property
    def tokens(self) -> int:
        """Number of tokens that fit."""
        return self.blocks * self.block

    def sequences(self, longest: int) -> int:
        """Return the number of sequences of ``longest`` tokens that fit at once."""
        return self.blocks // math.ceil(longest / self.block)
