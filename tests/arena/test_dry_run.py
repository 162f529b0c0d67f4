"""What a game's dry run says of the tokens that proxies lack where vLLM samples."""

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from distillgame.arena.config import GameConfig
from distillgame.arena.dry_run import estimate
from distillgame.errors import DistillgameError
from distillgame.models import load_tokenizer
from tests.vllm.pairs import PROXY_TOKENIZER, save_random, teacher_tokenizer

POE = {"poe": {"gamma": 0.5}}


@pytest.fixture
def game(tiny: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A teacher with tokens that the proxy lacks, and vLLM."""
    tiny["teacher"] = str(save_random(tmp_path / "teacher", teacher_tokenizer(), 1, 3))
    tiny["proxy"] = str(save_random(tmp_path / "proxy", load_tokenizer(PROXY_TOKENIZER), 2, 8))
    tiny["policies"], tiny["sampling"]["engine"] = ["standard", POE], "vllm"
    return tiny


def test_a_player_is_told_what_the_proxy_reads_in_place_of_tokens_that_it_lacks(game: dict[str, Any]) -> None:
    lines = estimate(GameConfig.model_validate(game)).splitlines()
    (line,) = [line for line in lines if "reads stand-ins for 7 of the teacher's" in line]
    assert "'<think>' as '>'" in line
    assert lines[lines.index(line) - 1] == "to know"


@pytest.mark.parametrize("changes", [{"engine": None}, {"policies": ["standard"]}])
def test_nothing_is_said_where_no_proxy_reads_along_in_vllm(game: dict[str, Any], changes: dict[str, Any]) -> None:
    game["sampling"]["engine"] = changes.get("engine", "vllm")
    game["policies"] = changes.get("policies", ["standard", POE])
    assert "to know" not in estimate(GameConfig.model_validate(game))


def test_a_pair_that_a_start_would_refuse_is_refused(game: dict[str, Any]) -> None:
    game["proxy"] = "embedded:bestiary-proxy"
    with pytest.raises(DistillgameError, match="shares only"):
        estimate(GameConfig.model_validate(game))


@pytest.fixture
def halves(game: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A teacher of 60 words, and two proxies that know more than half of them each, and eleven tokens in common."""

    def words(name: str, first: int, end: int) -> str:
        known = ["<eos>", *(f"w{word}" for word in range(first, end))]
        inner = Tokenizer(WordLevel({text: i for i, text in enumerate(known)}, unk_token="<eos>"))
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", unk_token="<eos>")
        return str(save_random(tmp_path / name, tokenizer, 1, 0))

    game |= {"teacher": words("all", 0, 60), "proxy": words("low", 0, 35), "proxies": {"high": words("high", 25, 60)}}
    return game


def test_proxies_of_one_policy_that_share_too_little_with_each_other_are_refused(halves: dict[str, Any]) -> None:
    """Those of two policies are never started together."""
    apart = [{"poe": {"gamma": 0.5, "proxies": [name]}} for name in ("proxy", "high")]
    text = estimate(GameConfig.model_validate(halves | {"policies": apart}))
    for name in ("proxy", "high"):
        assert text.count(f"proxy '{name}' reads stand-ins for 25 of the teacher's 61") == 1
    together = [{"poe": {"gamma": 0.5, "proxies": ["proxy", "high"]}}]
    with pytest.raises(DistillgameError, match=r"share only 11 tokens with teacher .* and with each other"):
        estimate(GameConfig.model_validate(halves | {"policies": together}))


@pytest.mark.parametrize("policies", [["standard"], [POE]])
def test_a_draft_model_that_a_start_would_refuse_is_refused(game: dict[str, Any], policies: list[Any]) -> None:
    def drafting(name: str) -> str:
        game["policies"] = policies
        game["sampling"]["engine"] = {"vllm": {"arguments": {"spec_model": name, "spec_tokens": 2}}}
        return estimate(GameConfig.model_validate(game))

    assert "nothing was downloaded" in drafting(game["teacher"])
    with pytest.raises(DistillgameError, match="has other tokens than the teacher and cannot draft"):
        drafting(game["proxy"])
    with pytest.raises(DistillgameError, match="by its folder or its plain hub name"):
        drafting("some/model@main")
