"""What of a model's specification vLLM honours, and what is refused instead of ignored."""

import sys
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec
from distillgame.policies import PolicyChoice
from distillgame.vllm.launching import plain_settings, start_engine

POE = PolicyChoice(name="poe", options={"gamma": 0.5})


def test_proxies_are_given_by_their_folders() -> None:
    settings = plain_settings(POE, {"proxy": ModelSpec(source="embedded:bestiary-proxy")}, {})
    assert settings.proxies["proxy"].endswith("embedded/bestiary-proxy")


@pytest.mark.parametrize(
    ("proxies", "message"),
    [
        ({}, "name a 'proxy'"),
        ({"proxy": {"source": "embedded:proxy", "tokenizer": "embedded:teacher"}}, "'tokenizer' is not honoured"),
        ({"proxy": {"source": "embedded:proxy", "dtype": "bfloat16"}}, "'dtype' is not honoured"),
        ({"proxy": {"source": "init:16x1", "tokenizer": "embedded:teacher"}}, "a folder or a hub name"),
        ({"proxy": {"source": "some/model@main"}}, "without a revision"),
    ],
)
def test_what_a_specification_says_beyond_a_folder_is_refused(proxies: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        plain_settings(POE, {name: ModelSpec(**spec) for name, spec in proxies.items()}, {})


def test_without_vllm_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    settings = plain_settings(POE, {"proxy": ModelSpec(source="embedded:bestiary-proxy")}, {})
    with pytest.raises(DistillgameError, match=r"vLLM is not installed.*docs/vllm\.md"):
        start_engine(ModelSpec(source="embedded:bestiary-teacher"), settings, {})
