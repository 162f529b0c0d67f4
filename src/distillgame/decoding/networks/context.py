"""One network reading a batch of growing sequences, any number of new tokens per row."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from distillgame.errors import DistillgameError

FULL, SLIDING = "full_attention", "sliding_attention"


class Context:
    """The tokens that a network has read, row by row.

    Args:
        network: A decoder-only Hugging Face model, or a callable with the arguments of its ``forward``.
        model: The model itself, if ``network`` wraps it.
        tangents: Keep forward-mode tangents of keys and values too; the caller holds the dual level.

    Raises:
        DistillgameError: If the model's attention cannot be given our masks and positions.
    """

    def __init__(self, network: Any, model: Any = None, tangents: bool = False):
        from distillgame.decoding.networks.cache import SlotCache

        self.network = network
        self.model = network if model is None else model
        self.attention = Attention(self.model)
        self.cache = SlotCache(self.attention.layers, tangents)
        self.keeps = "logits_to_keep" in inspect.signature(self.model.forward).parameters

    @property
    def lengths(self) -> list[int]:
        """Number of tokens read by row."""
        return self.cache.lengths

    def admit(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Add a row for each prompt, after the rows that are there.

        Returns:
            Float32 logits for each prompt's next token, shape (len(prompts), V).
        """
        from transformers.cache_utils import DynamicCache

        width = max(map(len, prompts))
        padding = [width - len(prompt) for prompt in prompts]
        device = self.attention.device
        tokens = torch.tensor([[0] * pad + list(prompt) for pad, prompt in zip(padding, prompts, strict=True)])
        first = torch.tensor(padding, device=device)[:, None]
        columns = torch.arange(width, device=device)
        fresh = DynamicCache()  # without the configuration it keeps what a sliding window would drop
        mask = None
        if any(padding):
            # Padding sees itself, because a softmax over nothing is not a number.
            visible = (columns >= first)[:, None, :] | torch.eye(width, dtype=torch.bool, device=device)
            mask = visible & (columns[:, None] >= columns)
        mask = self.attention.mask(columns, columns, mask)
        keep = {"logits_to_keep": 1} if self.keeps else {}
        output = self.network(
            input_ids=tokens.to(device), attention_mask=mask, position_ids=(columns - first).clamp(min=0),
            past_key_values=fresh, use_cache=True, **keep,
        )  # fmt: skip
        self.cache.append(fresh, padding)
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def read(self, blocks: Sequence[Sequence[int]]) -> torch.Tensor:
        """Append ``blocks[i]`` to row i.

        Returns:
            Float32 logits, shape (B, n, V) with n the longest block: at [i, j] those for the token after
            ``blocks[i][j]``, and meaningless values beyond the end of a shorter block.
        """
        counts = [len(block) for block in blocks]
        width = max(counts)
        device = self.attention.device
        tokens = torch.tensor([list(block) + [0] * (width - len(block)) for block in blocks])
        cache, positions, seen = self.cache.begin(counts, width, device)
        columns = torch.arange(seen, device=device)
        # Padding must not ask for a position beyond the model's context.
        ends = (torch.tensor(self.cache.lengths, device=device)[:, None] - 1).clamp(min=0)
        output = self.network(
            input_ids=tokens.to(device),
            attention_mask=self.attention.mask(positions, columns, columns <= positions[..., None]),
            position_ids=positions.minimum(ends),
            past_key_values=cache,
            use_cache=True,
        )
        return output.logits.float()  # type: ignore[no-any-return]

    def truncate(self, row: int, length: int) -> None:
        """Forget all but the first ``length`` tokens of a row, if it has more."""
        if self.cache.lengths[row] > length:
            self.cache.truncate(row, length)

    def remove(self, row: int) -> None:
        """Drop a row; the last row takes its place."""
        self.cache.remove(row)


class Attention:
    """The attention masks that a model accepts.

    Args:
        model: A decoder-only Hugging Face model.

    Raises:
        DistillgameError: If it has layers other than full or sliding-window attention, computes positions itself, or
            runs an attention that takes no mask.
    """

    def __init__(self, model: Any):
        config = model.config.get_text_config()
        kind = type(model).__name__
        accepted = inspect.signature(model.forward).parameters
        if missing := sorted({"position_ids", "past_key_values", "attention_mask"} - accepted.keys()):
            raise DistillgameError(
                f"model {kind}: its forward takes no {missing[0]}, so sequences of different lengths cannot share a "
                "batch; use a decoder-only model with explicit positions (Llama, Qwen, Gemma, GPT-2, ...)"
            )
        implementation = getattr(config, "_attn_implementation", None) or "eager"
        if implementation not in ("sdpa", "eager"):
            raise DistillgameError(f"model {kind}: attention '{implementation}' takes no mask; load it with 'sdpa'")
        if getattr(config, "alibi", False) or config.model_type in ("bloom", "mpt"):
            raise DistillgameError(
                f"model {kind}: ALiBi computes positions from the batch's padding, so sequences of different lengths "
                "cannot share a batch; use a model with explicit positions (Llama, Qwen, Gemma, GPT-2, ...)"
            )
        self.layers = int(config.num_hidden_layers)
        self.window: int | None = getattr(config, "sliding_window", None)
        if not getattr(config, "use_sliding_window", True):
            self.window = None
        kinds = getattr(config, "layer_types", None) or [SLIDING if self.window else FULL]
        if unknown := sorted(set(kinds) - {FULL, SLIDING}):
            raise DistillgameError(f"model {kind}: layers of kind '{unknown[0]}' are not supported, only attention")
        self.kinds = sorted(set(kinds))
        parameter = next(model.parameters())
        self.dtype, self.device = parameter.dtype, parameter.device

    def mask(self, positions: torch.Tensor, columns: torch.Tensor, visible: torch.Tensor | None) -> Any:
        """Return the mask in the form that the model takes.

        Args:
            positions: Columns of the new tokens, shape (n,) or (B, n).
            columns: Visible columns, shape (K,).
            visible: Which columns each new token may see, shape (B, n, K), or None for plain causality.

        Returns:
            An additive mask of shape (B, 1, n, K), or one per kind of layer if there are two.
        """
        if visible is None and self.window is None:
            return None
        if visible is None:
            visible = (columns <= positions[:, None])[None]
        masks = {}
        for kind in self.kinds:
            seen = visible
            if kind == SLIDING and self.window is not None:
                seen = visible & (columns > positions[..., None] - self.window)
            hidden = torch.zeros(seen.shape, dtype=self.dtype, device=self.device)
            masks[kind] = hidden.masked_fill_(~seen, torch.finfo(self.dtype).min)[:, None]
        return masks if len(masks) > 1 else masks[self.kinds[0]]
