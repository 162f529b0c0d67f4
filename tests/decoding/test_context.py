import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from distillgame.decoding.networks.context import Context
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel

token = st.integers(5, 100)
prompt = st.lists(token, min_size=1, max_size=6)
operation = st.one_of(
    st.tuples(st.just("read"), st.lists(st.lists(token, max_size=4), min_size=6, max_size=6)),
    st.tuples(st.just("truncate"), st.integers(0, 5), st.integers(1, 3)),
    st.tuples(st.just("remove"), st.integers(0, 5)),
    st.tuples(st.just("admit"), st.lists(prompt, min_size=1, max_size=2)),
)


def plain_logits(model: Any, tokens: list[int]) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(torch.tensor([tokens])).logits[0]
    return logits


@torch.no_grad()
def check_against_plain_passes(model: Any, start: list[list[int]], operations: list[Any], tolerance: float) -> None:
    """Rows read, forget, leave and enter in any order; every logit is that of a plain pass over the row alone."""
    context = Context(model)
    rows = [list(tokens) for tokens in start]
    first = context.admit(rows)
    for row, logits in zip(rows, first, strict=True):
        assert torch.allclose(logits, plain_logits(model, row)[-1], atol=tolerance)
    for name, *arguments in operations:
        if name == "read":
            blocks = arguments[0][: len(rows)]
            if not any(blocks):
                continue
            logits = context.read(blocks)
            for row, block, got in zip(rows, blocks, logits, strict=True):
                row.extend(block)
                if block:
                    expected = plain_logits(model, row)[-len(block) :]
                    assert torch.allclose(got[: len(block)], expected, atol=tolerance)
        elif name == "truncate" and arguments[0] < len(rows):
            place, dropped = arguments
            rows[place] = rows[place][: max(1, len(rows[place]) - dropped)]
            context.truncate(place, len(rows[place]))
        elif name == "remove" and arguments[0] < len(rows) > 1:
            context.remove(arguments[0])
            last = rows.pop()
            if arguments[0] < len(rows):
                rows[arguments[0]] = last
        elif name == "admit" and len(rows) + len(arguments[0]) <= 6:
            context.admit(arguments[0])
            rows += [list(tokens) for tokens in arguments[0]]
        assert context.lengths == [len(row) for row in rows]


@given(st.lists(prompt, min_size=1, max_size=4), st.lists(operation, max_size=8))
@settings(max_examples=40, deadline=None)
def test_rows_see_exactly_their_own_tokens_whatever_happened_before(
    teacher: LanguageModel, start: list[list[int]], operations: list[Any]
) -> None:
    check_against_plain_passes(teacher.model, start, operations, 2e-4)


SMALL = {
    "vocab_size": 120,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": SMALL,
    "mistral": SMALL | {"sliding_window": 4},
    "qwen2": SMALL | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "qwen3": SMALL | {"head_dim": 8},
    "gemma2": SMALL | {"head_dim": 8, "sliding_window": 4},
    "gemma3_text": SMALL | {"head_dim": 8, "sliding_window": 4},
    "phi3": SMALL | {"pad_token_id": 0},
    "olmo2": SMALL,
    "gpt_neox": {key: value for key, value in SMALL.items() if key != "num_key_value_heads"},
    "gpt2": {"vocab_size": 120, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64},
    "opt": {
        "vocab_size": 120, "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 64, "word_embed_proj_dim": 32,
    },
}  # fmt: skip
SCRIPT = [
    ("read", [[5], [6, 7, 8], [], [9]]),
    ("truncate", 1, 2),
    ("read", [[11, 12], [13], [14, 15, 16], [17]]),
    ("remove", 0),
    ("admit", [[20, 21, 22, 23, 24, 25]]),
    ("read", [[30, 31], [32], [33, 34], [35]]),
    ("read", [[40], [41], [42], [43]]),
]


def small(kind: str, attention: str = "sdpa") -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**ARCHITECTURES[kind]), attn_implementation=attention)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model.float().eval()


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_architectures_read_ragged_batches_as_they_read_alone(kind: str, attention: str) -> None:
    """Learned positions, sliding windows (shorter than the rows) and mixed layers included."""
    if attention == "sdpa" and kind == "gemma2":
        pytest.skip("gemma2's soft cap needs eager attention")
    start = [[5, 6, 7, 8, 9, 10, 11], [8], [9, 10, 12, 13, 14, 15, 16, 17, 18], [11, 12]]
    check_against_plain_passes(small(kind, attention), start, SCRIPT, 2e-3)


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("bloom", {"vocab_size": 120, "hidden_size": 32, "n_layer": 1, "n_head": 4}, "ALiBi|position_ids"),
        ("mamba", {"vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 1}, "forward takes no"),
    ],
)
def test_models_that_cannot_share_a_ragged_batch_are_refused(kind: str, settings: dict[str, Any], reason: str) -> None:
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**settings))
    with pytest.raises(DistillgameError, match=reason):
        Context(model)


def test_an_attention_that_takes_no_mask_is_refused(teacher: LanguageModel) -> None:
    model = copy.deepcopy(teacher.model)
    model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(DistillgameError, match="attention 'flash_attention_2' takes no mask; load it with 'sdpa'"):
        Context(model)


def test_layers_without_attention_are_refused(teacher: LanguageModel) -> None:
    model = copy.deepcopy(teacher.model)
    model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(DistillgameError, match="layers of kind 'linear_attention' are not supported"):
        Context(model)


def test_rows_at_the_end_of_the_context_are_not_disturbed_by_padding() -> None:
    """One row has a single place left while another reads several tokens: learned positions have no place beyond."""
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING["gpt2"](**(ARCHITECTURES["gpt2"] | {"n_positions": 9})))
    script = [("read", [[40], [41, 42, 43]])]
    check_against_plain_passes(model.float().eval(), [[5, 6, 7, 8, 9, 10, 11, 12], [13, 14]], script, 2e-3)
