"""Padded heads attend as the original ones do, rotary embeddings included."""

import math

import pytest
import torch
from transformers import LlamaConfig

from distillgame.errors import DistillgameError
from distillgame.models import load_model, load_without_weights
from distillgame.vllm.padding import HeadPadding

SIZE, HEADS, WIDTH = 28, 4, 112


def config(size: int = SIZE, **changes: object) -> LlamaConfig:
    settings = {"hidden_size": WIDTH, "num_attention_heads": HEADS, "head_dim": size, "num_hidden_layers": 1} | changes
    return LlamaConfig(**settings)


def rotated(heads: torch.Tensor, rotary: int) -> torch.Tensor:
    """Rotary embeddings of the first ``rotary`` dimensions, in halves, at positions 0, 1, ..."""
    angles = torch.arange(len(heads))[:, None] * 10000.0 ** (-torch.arange(0, rotary, 2) / rotary)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    one, two = heads[..., : rotary // 2], heads[..., rotary // 2 : rotary]
    return torch.cat([one * cos - two * sin, two * cos + one * sin, heads[..., rotary:]], -1)


def attention(weights: dict[str, torch.Tensor], x: torch.Tensor, size: int, rotary: int) -> torch.Tensor:
    query, key, value = (
        (x @ weights[f"model.layers.0.self_attn.{name}_proj.weight"].T).view(len(x), HEADS, size) for name in "qkv"
    )
    scores = torch.einsum("ihd,jhd->hij", rotated(query, rotary), rotated(key, rotary)) / math.sqrt(size)
    mixed = torch.einsum("hij,jhd->ihd", scores.softmax(-1), value).flatten(1)
    return mixed @ weights["model.layers.0.self_attn.o_proj.weight"].T


def test_attention_with_padded_heads_is_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    names = [f"model.layers.0.self_attn.{name}_proj.weight" for name in "qkvo"]
    weights = {name: torch.randn(WIDTH, WIDTH, generator=generator) / 10 for name in names}
    padding = HeadPadding(config())
    assert padding.config.head_dim == 32
    assert padding.config.rope_parameters["rope_dim"] == SIZE
    padded = dict(padding.apply(weights.items()))
    assert padded[names[0]].shape == (HEADS * 32, WIDTH)
    assert padded[names[3]].shape == (WIDTH, HEADS * 32)
    x = torch.randn(7, WIDTH, generator=generator)
    assert torch.allclose(attention(weights, x, SIZE, SIZE), attention(padded, x, 32, SIZE), atol=1e-5)


def test_the_factor_of_queries_is_not_rounded_into_16_bits() -> None:
    query = torch.ones(WIDTH, WIDTH, dtype=torch.float16)
    ((_, found),) = HeadPadding(config()).apply([("model.layers.0.self_attn.q_proj.weight", query)])
    assert found.dtype == torch.float32
    assert float(found[0, 0]) == pytest.approx(math.sqrt(32 / SIZE), rel=1e-7)


@pytest.mark.parametrize("size", [32, 64, 80, 128])
def test_heads_that_vllm_knows_are_left_alone(size: int) -> None:
    original = config(size)
    padding = HeadPadding(original)
    weight = torch.ones(size * HEADS, WIDTH)
    assert padding.config is original
    ((_, found),) = padding.apply([("model.layers.0.self_attn.q_proj.weight", weight)])
    assert found is weight


def test_small_heads_that_cannot_be_padded_are_refused() -> None:
    with pytest.raises(DistillgameError, match="no kernel for heads of 24 dimensions, and those of 'qwen2'"):
        HeadPadding(load_without_weights("embedded:bestiary-student-bpe").model.config)


def test_the_shipped_proxies_are_padded() -> None:
    model = load_model("embedded:bestiary-proxy").model
    padding = HeadPadding(model.config)
    shapes = {name: tensor.shape for name, tensor in padding.apply(model.state_dict().items())}
    changed = {name for name, tensor in model.state_dict().items() if shapes[name] != tensor.shape}
    assert {name.rsplit(".", 2)[-2] for name in changed} == {"q_proj", "k_proj", "v_proj", "o_proj"}
