"""Every causal language model that transformers registers, tiny and random: its rows are independent, or refused."""

import itertools
from typing import Any

import pytest
import torch
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from distillgame.decoding.networks import Context, require_independent_rows
from distillgame.errors import DistillgameError

COMMON = ["exaone4", "gemma2", "gemma3_text", "gpt2", "gpt_neo", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3"]

SMALL: dict[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 64,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 16,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "num_local_experts": 4,
    "num_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 16,
    "v_head_dim": 16,
    "first_k_dense_replace": 1,
    "ffn_dim": 64,
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "emb_dim": 64,
    "n_layers": 2,
    "n_heads": 4,
    "expert_ffn_hidden_size": 32,
    "ffn_hidden_size": 64,
    "hidden_size_per_layer_input": 16,
    "vocab_size_per_layer_input": 128,
    "is_decoder": True,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Sizes by the names that configurations use; each takes those that it has."""

LARGEST = 110_000_000
"""Most parameters of a model that these sizes shrink."""


ATTEMPTS: tuple[dict[str, Any], ...] = ({}, {"num_experts_per_tok": 1}, {"head_dim": None}, {"num_hidden_layers": None})
"""Changes to the sizes, tried one after the other; None leaves a size to the configuration."""


def shrunk(kind: Any, sizes: dict[str, Any]) -> Any:
    """Return a small configuration, that of the text model in one of several parts."""
    known = kind().to_dict()
    chosen = {field: value for field, value in sizes.items() if field in known and value is not None}
    if isinstance(known.get("text_config"), dict):
        text = type(kind().get_text_config())
        chosen["text_config"] = shrunk(text, sizes).to_dict()
    return kind(**chosen)


def tiny(name: str) -> Any:
    """Return a random model, or skip what these sizes cannot shrink, with the reason."""
    kind = CONFIG_MAPPING[name]
    model, reasons = MODEL_FOR_CAUSAL_LM_MAPPING[kind], []
    for changes, of_text in itertools.product(ATTEMPTS, (False, True)):
        try:
            config = shrunk(kind, SMALL | changes)
            config = config.get_text_config() if of_text else config
            with torch.device("meta"):
                size = sum(p.numel() for p in model(config).parameters())
            if size > LARGEST:
                reasons.append(f"{size} parameters")
                continue
            torch.manual_seed(0)
            return model(config).eval()
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {error}")
    pytest.skip(f"{name}: {reasons[0]}")


def refused(name: str) -> str | None:
    """Return why a model is refused; None if it is accepted, and then its rows are those of plain passes."""
    model = tiny(name)
    refusal = None
    try:
        require_independent_rows(model)
    except DistillgameError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        assert type(model).__name__ in refusal or "layers" in refusal
        return refusal
    rows = [[5, 9, 3], [7, 11, 2, 4, 8, 6, 10, 12, 3, 3]]
    with torch.inference_mode():
        found = Context(model).admit(rows)
        for row, logits in zip(rows, found, strict=True):
            alone = model(torch.tensor([row]), use_cache=False).logits[0, -1].float()
            assert torch.allclose(logits, alone, atol=1e-3 * float(alone.std()) + 1e-6)
    return None


@pytest.mark.parametrize("name", COMMON)
def test_a_common_architecture_is_equal_alone(name: str) -> None:
    reason = refused(name)
    assert reason is None or (name == "gpt_neo" and "window_size" in reason)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - set(COMMON)))
def test_an_architecture_is_equal_alone_or_refused_in_words(name: str) -> None:
    refused(name)
