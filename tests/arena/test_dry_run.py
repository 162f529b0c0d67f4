"""What a game's dry run says of the tokens that proxies lack where vLLM samples."""

from pathlib import Path
from typing import Any

import pytest

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
