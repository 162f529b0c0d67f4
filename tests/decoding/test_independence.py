from typing import Any

import pytest
import torch
import transformers as hf

from distillgame.decoding import Engine
from distillgame.decoding.networks import require_independent_rows
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, load_model, load_tokenizer
from distillgame.policies import make_policy

TINY: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
}
LONGROPE = {"rope_type": "longrope", "rope_theta": 1e4, "long_factor": [4.0] * 4, "short_factor": [1.0] * 4}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64}


def build(kind: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    return getattr(hf, f"{kind}ForCausalLM")(settings.pop("config")).eval()


def neo(window: int) -> Any:
    shape = {"vocab_size": 99, "hidden_size": 32, "num_layers": 2, "num_heads": 4}
    return hf.GPTNeoConfig(**shape, attention_types=[[["global", "local"], 1]], window_size=window)


EQUAL = {
    "Llama": hf.LlamaConfig(**TINY),
    "Llama with YaRN": hf.LlamaConfig(**TINY, max_position_embeddings=256, rope_parameters=YARN),
    "Mistral": hf.MistralConfig(**TINY, sliding_window=16),
    "Gemma3": hf.Gemma3TextConfig(**TINY, head_dim=8, sliding_window=16),
}


@pytest.mark.parametrize("name", EQUAL)
def test_models_with_positions_of_their_own_are_accepted(name: str) -> None:
    require_independent_rows(build(name.partition(" ")[0], config=EQUAL[name]))


LENGTHS = {"max_position_embeddings": 131_072, "original_max_position_embeddings": 4096}
DEPENDENT = {
    "Phi3": (hf.Phi3Config(**TINY, **LENGTHS, rope_parameters=LONGROPE), "'longrope'"),
    "Llama": (
        hf.LlamaConfig(
            **TINY, max_position_embeddings=256, rope_parameters=DYNAMIC | {"original_max_position_embeddings": 64}
        ),
        "'dynamic'",
    ),
    "GPTNeo": (neo(256), "window_size: 256"),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_a_model_whose_rows_depend_on_their_neighbours_is_refused_with_the_reason(name: str) -> None:
    config, reason = DEPENDENT[name]
    with pytest.raises(DistillgameError, match=rf"{name}ForCausalLM: the logits of a sequence change .*{reason}"):
        require_independent_rows(build(name, config=config))


def test_the_engine_refuses_such_a_teacher_and_such_a_proxy() -> None:
    tokenizer = load_tokenizer("embedded:student")
    config, _ = DEPENDENT["Phi3"]
    config.vocab_size = len(tokenizer)
    bad, good = LanguageModel(build("Phi3", config=config), tokenizer, "phi"), load_model("embedded:student")
    with pytest.raises(DistillgameError, match="change with the lengths of the others"):
        Engine(bad, make_policy("standard"))
    with pytest.raises(DistillgameError, match="change with the lengths of the others"):
        Engine(good, make_policy("poe", {"gamma": 0.5}), proxies={"proxy": bad})


def test_a_model_that_cannot_read_a_ragged_batch_is_refused_in_words() -> None:
    model = build("Llama", config=hf.LlamaConfig(**TINY, attention_bias=True))
    original = model.forward

    def forward(input_ids: Any = None, attention_mask: Any = None, position_ids: Any = None,
                past_key_values: Any = None, use_cache: Any = None) -> Any:  # fmt: skip
        if len(input_ids) > 1:
            raise TypeError("no such\nbatch")
        return original(input_ids, attention_mask, position_ids, past_key_values, use_cache=use_cache)

    model.forward = forward
    with pytest.raises(DistillgameError, match=r"cannot read sequences of different .*\(TypeError: no such batch\)"):
        require_independent_rows(model)
