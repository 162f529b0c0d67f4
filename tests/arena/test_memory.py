"""The memory that a game takes where vLLM samples: weights of one policy's networks, keys and values of all of them."""

from typing import Any

import pytest

from distillgame.arena.config import GameConfig
from distillgame.arena.memory import memory

SIZES: dict[str, float | None] = {"teacher": 7e9, "proxy": 3e9, "student": 3e9}


@pytest.mark.parametrize(
    ("policies", "weights"),
    [(["standard"], 28), (["standard", {"poe": {"gamma": 0.5}}], 40), (["standard", {"ads": {"lambda": 0.2}}], 52)],
)
def test_weights_of_the_policy_with_most_networks(tiny: dict[str, Any], policies: list[Any], weights: int) -> None:
    """A policy with derivatives reads its proxy at two points."""
    tiny["policies"], tiny["sampling"]["engine"] = policies, "vllm"
    for role in ("teacher", "proxy"):
        tiny[role] = {"source": tiny[role], "dtype": "float32"}
    assert memory(GameConfig.model_validate(tiny), SIZES)["vLLM"].startswith(f"{weights} GB for the networks of one")


def test_keys_and_values_of_both_networks_and_the_gpus(tiny: dict[str, Any]) -> None:
    tiny["sampling"]["engine"] = {"vllm": {"tensor_parallel_size": 2}}
    tiny["policies"] = ["standard", {"poe": {"gamma": 0.5}}]
    for role in ("teacher", "proxy"):
        tiny[role] = {"source": tiny[role], "dtype": "float32"}
    # The teacher has 4 layers with 4 heads of 32 dimensions, the proxy 2 layers with 4 heads of 28, padded to 32; each
    # GPU has two heads of each layer.
    each = 2 * 4 * (4 * 2 * 32 + 2 * 2 * 32)
    said = memory(GameConfig.model_validate(tiny), SIZES)["vLLM"]
    assert "40 GB over 2 GPUs" in said
    assert said.endswith(f"keys and values: {each / 1e6:.3g} MB per token on each GPU")


def test_what_is_unknown_is_said(tiny: dict[str, Any]) -> None:
    tiny["sampling"]["engine"] = "vllm"
    tiny["policies"] = ["standard"]
    tiny["teacher"] = "somebody/large-model"
    config = GameConfig.model_validate(tiny)
    assert memory(config, SIZES)["vLLM"].endswith("keys and values: unknown (say 'cache' of teacher, or download it)")
    assert memory(config, SIZES | {"teacher": None})["vLLM"] == "unknown (say 'parameters' of teacher)"
    tiny["sampling"]["engine"] = "distillgame"
    assert "sampling" in memory(GameConfig.model_validate(tiny), SIZES)
