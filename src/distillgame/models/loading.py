"""Load a model and its tokenizer from any source."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from distillgame.errors import DistillgameError
from distillgame.models import adapters, chat
from distillgame.models.spec import ADAPTER, INIT, Location, ModelSpec, adapter_base, locate, tokenizer_source

if TYPE_CHECKING:
    from transformers import LlamaConfig

HEADS = 4
"""Attention heads of the embedded architecture."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A causal language model with its tokenizer.

    Attributes:
        model: The network, in evaluation mode.
        tokenizer: Its tokenizer, with a chat template and a padding token.
        source: The source it was loaded from.
    """

    model: Any
    tokenizer: Any
    source: str

    @property
    def device(self) -> torch.device:
        """The device that holds the weights."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def logit_count(self) -> int:
        """Number of logits, V: at least the tokenizer's size, often padded beyond it."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @cached_property
    def context(self) -> float:
        """Largest number of tokens that the model can read; infinite if its configuration does not say."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return float("inf") if limit is None else int(limit)

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Ids of all tokens that end a completion."""
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return frozenset(int(i) for i in [*ids, self.tokenizer.eos_token_id] if i is not None)

    def prompt_ids(self, messages: list[dict[str, str]], told: Mapping[str, Any] | None = None) -> list[int]:
        """Return the token ids of ``messages`` followed by the start of the assistant's turn.

        Args:
            messages: The conversation.
            told: What the chat template is told beside the messages.
        """
        return chat.prompt_ids(self.tokenizer, messages, told)

    def text_ids(self, text: str) -> list[int]:
        """Return the token ids of ``text`` as it is, after the beginning-of-sequence token if the model has one."""
        return list(self.tokenizer.encode(text))

    def decode(self, ids: list[int]) -> str:
        """Return the text of ``ids`` without special tokens, character for character."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def load_without_weights(spec: ModelSpec | str) -> LanguageModel:
    """Load what is known of the model that ``spec`` names without its weights, which somebody else holds.

    Its network has parameters on the meta device: they have shapes and no content.

    Raises:
        DistillgameError: If the source does not exist, is corrupt, or is not a folder or hub name.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    spec = ModelSpec.model_validate(spec)
    location = locate(spec.source)
    if location.gguf_file is not None or spec.source.startswith("init:"):
        raise DistillgameError(f"model '{spec.source}': a folder with its weights, or a hub name, is needed here")
    tokenizer = load_tokenizer(spec)
    config = _guard(spec.source, AutoConfig.from_pretrained, location)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    # As transformers does: a checkpoint need not say how it generates.
    with contextlib.suppress(OSError):
        model.generation_config = GenerationConfig.from_pretrained(location.name, **location.keywords())
    _require_room(model, tokenizer, spec.source)
    return LanguageModel(model.eval(), tokenizer, spec.source)


def load_model(spec: ModelSpec | str, device: str | torch.device = "cpu") -> LanguageModel:
    """Load the model that ``spec`` names.

    Raises:
        DistillgameError: If the source does not exist, is corrupt, or is not a causal language model.
    """
    spec = ModelSpec.model_validate(spec)
    tokenizer = load_tokenizer(spec)
    if torch.device(device).type == "cuda":
        # For attention with a mask, PyTorch prefers cuDNN on Hopper, which builds a plan for each length of the cache:
        # tens of milliseconds at nearly every step (https://github.com/pytorch/pytorch/pull/155958).
        torch.backends.cuda.enable_cudnn_sdp(False)
    if spec.source.startswith("init:"):
        model = _initialise(spec, len(tokenizer), tokenizer)
    else:
        location = locate(spec.source)
        dtype = spec.dtype
        if dtype == "auto" and torch.device(device).type == "cpu":
            dtype = "float32"
        if (Path(location.name) / ADAPTER).is_file():
            return _load_adapted(spec, location, tokenizer, device)
        model = _load_whole(spec.source, location, dtype)
    _require_room(model, tokenizer, spec.source)
    return LanguageModel(model.to(device).eval(), tokenizer, spec.source)


def load_tokenizer(spec: ModelSpec | str) -> Any:
    """Load the tokenizer that ``spec`` names, with its chat template and a padding token.

    Raises:
        DistillgameError: If the source does not exist, is corrupt, or has no end-of-sequence token.
    """
    from transformers import AutoTokenizer

    spec = ModelSpec.model_validate(spec)
    source = tokenizer_source(spec.tokenizer or spec.source)
    tokenizer = _guard(source, AutoTokenizer.from_pretrained, locate(source))
    if tokenizer.eos_token_id is None:
        raise DistillgameError(f"model '{source}': its tokenizer has no end-of-sequence token, so nothing could end")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if spec.chat_template in chat.TEMPLATES:
        tokenizer.chat_template = chat.template(spec.chat_template)
    elif spec.chat_template is not None:
        other = _guard(spec.chat_template, AutoTokenizer.from_pretrained, locate(spec.chat_template))
        tokenizer.chat_template = other.chat_template
    if tokenizer.chat_template is None:
        tokenizer.chat_template = chat.template("plain")
    return tokenizer


def quiet() -> None:
    """Silence the progress bars and notices of transformers, for programs with a display of their own."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def embedded_config(width: int, layers: int, vocabulary: int, **overrides: Any) -> "LlamaConfig":
    """Return the embedded architecture: SwiGLU, RoPE, RMSNorm, four heads, tied embeddings.

    Raises:
        DistillgameError: If four heads of even size do not fill the width.
    """
    from transformers import LlamaConfig

    if width < 8 or width % 8:
        raise DistillgameError(f"init:{width}x{layers}: the width must be a multiple of 8")
    settings: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": max(16, round(width * 8 / 3 / 16) * 16),
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    }
    return LlamaConfig(**(settings | overrides))


def _load_whole(source: str, location: Location, dtype: str) -> Any:
    """Load a checkpoint and check that no weight is missing; transformers would initialise it at random."""
    from transformers import AutoModelForCausalLM

    model, report = _guard(
        source, AutoModelForCausalLM.from_pretrained, location, dtype=dtype, output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise DistillgameError(
            f"model '{source}': the checkpoint lacks '{missing[0]}' (and {len(missing) - 1} more): it is incomplete, "
            "or its config.json belongs to another model"
        )
    return model


def _load_adapted(spec: ModelSpec, location: Location, tokenizer: Any, device: str | torch.device) -> LanguageModel:
    """Load PEFT adapters and merge them into the base model that they name, which may be any source."""
    from peft import PeftConfig

    config = _guard(spec.source, PeftConfig.from_pretrained, location)
    folder = Path(location.name)
    own = spec.tokenizer if adapter_base(folder, spec.source).startswith("init:") else None
    base = load_model(spec.model_copy(update={"source": adapter_base(folder, spec.source), "tokenizer": own}), device)
    merged = adapters.merge(base.model, config, folder, len(tokenizer), spec.source)
    _require_room(merged, tokenizer, spec.source)
    return LanguageModel(merged.to(device).eval(), tokenizer, spec.source)


def _require_room(model: Any, tokenizer: Any, source: str) -> None:
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        raise DistillgameError(
            f"model '{source}': the tokenizer has {len(tokenizer)} tokens but the model embeds only "
            f"{model.get_input_embeddings().weight.shape[0]}: they do not belong together"
        )


def _initialise(spec: ModelSpec, vocabulary: int, tokenizer: Any) -> Any:
    from transformers import LlamaForCausalLM

    width, layers = (int(part) for part in INIT.fullmatch(spec.source).groups())  # type: ignore[union-attr]
    config = embedded_config(
        width,
        layers,
        vocabulary,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        model = LlamaForCausalLM(config)
    return model if spec.dtype == "auto" else model.to(getattr(torch, spec.dtype))


def _guard(source: str, load: Any, location: Any, **keywords: Any) -> Any:
    """Run a transformers loader and turn any error into a one-line message."""
    try:
        return load(location.name, **location.keywords(), **keywords)
    except Exception as error:  # The loaders' errors for damaged files have no common ancestor.
        reason = " ".join(str(error).split())[:200]
        hint = "the files are missing or corrupt" if location.local else "not found on the hub, or out of reach"
        raise DistillgameError(f"model '{source}': cannot be loaded ({hint}): {reason}") from error
