"""The arguments of vLLM's engine as configurations give them."""

from typing import Any

from pydantic import Field, model_validator

from distillgame.strict import Strict

OWN_PLACES = {
    "tensor_parallel_size": "tensor_parallel_size",
    "max_model_len": "max_model_len",
    "max_num_seqs": "batch_size",
}
"""Arguments that have a place of their own in a configuration, and its name."""


COLDEST = 0.01
"""The lowest temperature above 0 at which vLLM samples; it would silently take this for lower ones."""

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks of adapters for which vLLM has room."""

LARGEST_RANK = RANKS[-1]
"""The largest of :data:`RANKS`."""

SET_ELSEWHERE = (
    "model", "dtype", "hf_overrides", "worker_extension_cls", "disable_log_stats", "seed", "async_scheduling",
)  # fmt: skip
"""Arguments that follow from the rest of a configuration."""


class VllmArguments(Strict):
    """Arguments of vLLM's engine.

    Attributes:
        tensor_parallel_size: Number of GPUs over which every network is split.
        max_model_len: Longest sequence in tokens; the models' own limit if None.
        arguments: Further arguments, by the names of vLLM's flags with underscores.
    """

    tensor_parallel_size: int = Field(1, ge=1)
    max_model_len: int | None = Field(None, ge=1)
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "VllmArguments":
        for name, place in OWN_PLACES.items():
            if name in self.arguments:
                raise ValueError(f"arguments: '{name}' is set by '{place}'")
        for name in SET_ELSEWHERE:
            if name in self.arguments:
                raise ValueError(f"arguments: '{name}' is set by distillgame itself")
        return self

    def together(self, batch_size: int) -> dict[str, Any]:
        """Return all arguments by name.

        Args:
            batch_size: Most sequences in one batch.
        """
        own = {"tensor_parallel_size": self.tensor_parallel_size, "max_num_seqs": batch_size}
        longest = {} if self.max_model_len is None else {"max_model_len": self.max_model_len}
        return own | longest | self.arguments
