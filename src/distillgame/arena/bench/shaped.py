"""Shaped pairs: networks of a stated size with random weights, on the distributions of a trained pair.

What speculation saves depends on how alike teacher and proxy are, which random weights cannot show; what a pass costs
depends on their size, which the embedded models do not have. A shaped network runs in full, and then its logits are
replaced by those that the trained pair had along one of its own traces. It has a vocabulary of its own in which every
trace has a range of ids, so that a token says which trace it belongs to; where in the trace, its position says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from distillgame.models import LanguageModel

VOCABULARY = 49_152
"""Logits of a shaped network, so that mixing, KL and sampling cost what they really cost."""

LIFT = 40.0
"""Distance of the replayed logits above the random ones, whose probability is then about nothing."""


@dataclass(frozen=True)
class Shape:
    """The size of a network.

    Attributes:
        name: What people call it.
        width: Hidden size.
        layers: Number of layers.
        heads: Attention heads.
        kv_heads: Key and value heads.
        inner: Size of the feed-forward layer.
    """

    name: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int

    def parameters(self, vocabulary: int) -> int:
        """Number of weights of its matrices."""
        head = self.width // self.heads
        attention = 2 * self.width * head * (self.heads + self.kv_heads)
        return vocabulary * self.width + self.layers * (attention + 3 * self.width * self.inner)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("135M", 576, 30, 9, 3, 1536),
        Shape("16M", 256, 5, 4, 4, 640),
        Shape("7B", 3584, 28, 28, 4, 18944),
        Shape("3B", 2048, 36, 16, 2, 11008),
        Shape("0.5B", 896, 24, 14, 2, 4864),
    )
}


@dataclass(frozen=True)
class Recording:
    """Logits of a trained pair along its own traces, as a policy needs them.

    Attributes:
        prompts: The prompts' tokens.
        teacher: Logits by trace and position after the prompt, shape (K, L, V0); shorter traces repeat from the start.
        proxy: The proxy's, shape (K, L, V0).
    """

    prompts: list[list[int]]
    teacher: torch.Tensor
    proxy: torch.Tensor


class ReplayLlama(LlamaForCausalLM):  # type: ignore[misc]
    """A Llama whose logits are replaced by recorded ones after they were computed."""

    table: torch.Tensor | None = None

    def replay(self, prompts: Sequence[Sequence[int]], table: torch.Tensor) -> None:
        """Replay ``table`` (K, L, V0) from now on, for traces behind ``prompts``."""
        self.table = table.to(self.device) + LIFT
        self.offsets = torch.tensor([len(prompt) - 1 for prompt in prompts], device=self.device)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: Any = None,
        position_ids: Any = None,
        past_key_values: Any = None,
        logits_to_keep: Any = 0,
        **keywords: Any,
    ) -> Any:
        """As of any Llama; without ``position_ids``, rows are whole sequences."""
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        output = super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            logits_to_keep=logits_to_keep,
            **keywords,
        )
        if self.table is None:
            return output
        logits = output.logits.float()
        count, length, size = self.table.shape
        kept = logits.shape[1]
        trace = (input_ids[:, -kept:] // size).clamp(max=count - 1)
        place = (position_ids[:, -kept:] - self.offsets[trace]) % length
        columns = trace[..., None] * size + torch.arange(size, device=logits.device)
        output.logits = logits.scatter_(-1, columns, self.table[trace, place])
        return output


def shaped_model(shape: Shape, vocabulary: int, dtype: torch.dtype, device: str, seed: int) -> LanguageModel:
    """A network with random weights."""
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(seed)
        model = ReplayLlama(_config(shape, vocabulary)).to(dtype)
    return LanguageModel(model.eval(), _tokenizer(vocabulary), f"shaped:{shape.name}")


def save_shape(shape: Shape, vocabulary: int, folder: Path) -> None:
    """Write a network's configuration and tokenizer to a folder, without weights."""
    _config(shape, vocabulary).save_pretrained(folder)
    _tokenizer(vocabulary).save_pretrained(folder)


def _config(shape: Shape, vocabulary: int) -> LlamaConfig:
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.inner,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=vocabulary - 1,
    )


def shaped_text(recording: Recording, trace: int) -> str:
    """The prompt of a recorded trace as the shaped tokenizer reads it."""
    size = recording.teacher.shape[-1]
    return " ".join(f"t{trace * size + token}" for token in recording.prompts[trace])


def _tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel({f"t{i}": i for i in range(vocabulary)}, unk_token="t0"))
    words.pre_tokenizer = WhitespaceSplit()
    last = f"t{vocabulary - 1}"
    return PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token=last, pad_token=last, chat_template="{{ messages[0]['content'] }}"
    )
