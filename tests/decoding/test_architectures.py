"""Every causal language model that transformers registers, tiny and random: its rows are independent, or refused."""

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
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Sizes by the names that configurations use; each takes those that it has."""

LARGEST = 30_000_000
"""Most parameters of a model that these sizes shrink."""


def tiny(name: str) -> Any:
    """Return a random model, or skip what these sizes cannot shrink, with the reason."""
    kind = CONFIG_MAPPING[name]
    try:
        known = kind().to_dict()
        config = kind(**{field: value for field, value in SMALL.items() if field in known})
        with torch.device("meta"):
            size = sum(p.numel() for p in MODEL_FOR_CAUSAL_LM_MAPPING[kind](config).parameters())
        if size > LARGEST:
            pytest.skip(f"{name}: {size} parameters")
        torch.manual_seed(0)
        return MODEL_FOR_CAUSAL_LM_MAPPING[kind](config).eval()
    except Exception as error:
        pytest.skip(f"{name}: {type(error).__name__}: {error}")


def check(name: str) -> None:
    model = tiny(name)
    refusal = None
    try:
        require_independent_rows(model)
    except DistillgameError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        assert type(model).__name__ in refusal or "layers" in refusal
        return
    rows = [[5, 9, 3], [7, 11, 2, 4, 8, 6, 10, 12, 3, 3]]
    with torch.inference_mode():
        found = Context(model).admit(rows)
        for row, logits in zip(rows, found, strict=True):
            alone = model(torch.tensor([row]), use_cache=False).logits[0, -1].float()
            assert torch.allclose(logits, alone, atol=1e-3 * float(alone.std()) + 1e-6)


@pytest.mark.parametrize("name", COMMON)
def test_a_common_architecture_is_equal_alone_or_refused_in_words(name: str) -> None:
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - set(COMMON)))
def test_an_architecture_is_equal_alone_or_refused_in_words(name: str) -> None:
    check(name)
