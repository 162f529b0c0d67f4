"""One model reading a batch of growing sequences, any number of new tokens a row."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from distillgame.errors import DistillgameError


class RaggedContext:
    """An append-only key-value cache in which rows grow by different numbers of tokens.

    A block of new tokens is padded on its left, so that its last column is every row's newest token; padding stays in
    the cache as masked holes, and positions count only real tokens.

    Args:
        model: A decoder-only Hugging Face model.
        rows: Number of sequences, B.
    """

    def __init__(self, model: Any, rows: int):
        self.model = model
        self.cache = DynamicCache(config=model.config)
        device = next(model.parameters()).device
        self.mask = torch.zeros(rows, 0, dtype=torch.long, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self.logits: torch.Tensor | None = None

    @torch.inference_mode()
    def feed(self, blocks: Sequence[Sequence[int]]) -> torch.Tensor:
        """Append ``blocks[i]`` to row i and return the logits for each row's next token.

        A row with an empty block keeps the logits it had.

        Returns:
            Float32 logits, shape (B, V).

        Raises:
            DistillgameError: If a row would outgrow the model's context.
        """
        width = max(len(block) for block in blocks)
        if width == 0:
            assert self.logits is not None
            return self.logits
        device = self.mask.device
        tokens = torch.tensor([[0] * (width - len(block)) + list(block) for block in blocks], device=device)
        counts = torch.tensor([len(block) for block in blocks], device=device)
        new = (torch.arange(width, device=device) >= (width - counts)[:, None]).long()
        positions = (self.lengths[:, None] + new.cumsum(-1) - 1).clamp(min=0)
        self._check_length(int((self.lengths + counts).max()))
        self.mask = torch.cat([self.mask, new], -1)
        self.lengths += counts
        output = self.model(
            input_ids=tokens,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        if self.logits is not None and int(counts.min()) == 0:
            logits = torch.where(counts[:, None] > 0, logits, self.logits)
        self.logits = logits
        return logits

    def select(self, rows: torch.Tensor) -> None:
        """Keep only ``rows``, in that order."""
        self.cache.batch_select_indices(rows)
        self.mask, self.lengths = self.mask[rows], self.lengths[rows]
        if self.logits is not None:
            self.logits = self.logits[rows]

    def _check_length(self, length: int) -> None:
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if limit is not None and length > limit:
            raise DistillgameError(
                f"a sequence of {length} tokens does not fit the model's context of {limit}: "
                "shorten the prompt or lower max_new_tokens"
            )
