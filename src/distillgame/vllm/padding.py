"""Attention heads of sizes that vLLM's kernels lack, as larger heads that compute the same."""

import copy
import math
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from distillgame.errors import DistillgameError

SMALLEST = 32
"""The smallest size of heads for which vLLM has a kernel on a CPU."""

FAMILIES = ("llama", "mistral")
"""Architectures whose heads can be padded: queries and keys are not normalised, and the head size is configured."""


class HeadPadding:
    """Heads of one network, padded with zeros to :data:`SMALLEST` dimensions if they have fewer.

    Rotary embeddings keep their size, so that the added dimensions are not rotated, and queries are scaled so that the
    larger heads weigh as the original ones did.

    Args:
        config: The network's own configuration.

    Attributes:
        config: The configuration with which vLLM builds it.

    Raises:
        DistillgameError: If there is no kernel for its heads, and they cannot be padded.
    """

    def __init__(self, config: Any):
        self._size = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        self.config, self._padded = config, max(self._size, SMALLEST)
        if not self.pads:
            return
        if config.model_type not in FAMILIES:
            raise DistillgameError(
                f"vLLM has no kernel for heads of {self._size} dimensions, and those of '{config.model_type}' cannot "
                f"be padded: choose a model with heads of {SMALLEST} or more"
            )
        self.config = copy.deepcopy(config)
        self.config.head_dim = self._padded
        self.config.rope_parameters = {**config.rope_parameters, "rope_dim": self._size}

    @property
    def pads(self) -> bool:
        """True if there are dimensions to add."""
        return self._size != self._padded

    def apply(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield a network's weights as vLLM loads them.

        Args:
            weights: Names and tensors of the checkpoint.
        """
        for name, tensor in weights:
            yield name, self._apply(name, tensor) if self.pads else tensor

    def save(self, source: Path, folder: Path) -> None:
        """Write the padded network of a checkpoint with its tokenizer, for vLLM to load without the plugin.

        Args:
            source: The checkpoint's folder.
            folder: Where it is written to.
        """
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.index.json", "config.json"))
        self.config.save_pretrained(folder)
        weights = {name: tensor for path in source.glob("*.safetensors") for name, tensor in load_file(path).items()}
        save_file(
            {name: tensor.contiguous() for name, tensor in self.apply(weights.items())}, folder / "model.safetensors"
        )

    def _apply(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        layer = name.rsplit(".", 2)[-2]
        if layer == "o_proj":
            heads = tensor.view(len(tensor), -1, self._size)
            return torch.nn.functional.pad(heads, (0, self._padded - self._size)).reshape(len(tensor), -1)
        if layer not in ("q_proj", "k_proj", "v_proj"):
            return tensor
        heads = tensor.reshape(-1, self._size, *tensor.shape[1:])
        more = heads.new_zeros(len(heads), self._padded - self._size, *tensor.shape[1:])
        result = torch.cat([heads, more], 1).flatten(0, 1)
        # vLLM divides by the root of the larger size. Rounding the factor into 16 bits would cost three digits.
        return result.float() * math.sqrt(self._padded / self._size) if layer == "q_proj" else result
