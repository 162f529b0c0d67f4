"""What of a model's specification vLLM honours, and what is refused instead of ignored."""

import sys
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec
from distillgame.policies import PolicyChoice
from distillgame.vllm.launching import plain_settings, start_engine

TEACHER = ModelSpec(source="embedded:bestiary-teacher")
POE = PolicyChoice(name="poe", options={"gamma": 0.5})


def test_proxies_are_given_by_their_folders() -> None:
    settings = plain_settings(POE, TEACHER, {"proxy": ModelSpec(source="embedded:bestiary-proxy")}, {})
    assert settings.proxies["proxy"].endswith("embedded/bestiary-proxy")


@pytest.mark.parametrize(
    ("proxies", "message"),
    [
        ({}, "needs a proxy called 'proxy'"),
        ({"proxy": {"source": "embedded:proxy", "tokenizer": "embedded:teacher"}}, "'tokenizer' is not honoured"),
        ({"proxy": {"source": "embedded:proxy", "dtype": "bfloat16"}}, "'dtype' is not honoured"),
        ({"proxy": {"source": "init:16x1", "tokenizer": "embedded:teacher"}}, "a folder or a hub name"),
        ({"proxy": {"source": "some/model@main"}}, "'some/model@main': not in the cache"),
    ],
)
def test_what_a_specification_says_beyond_a_folder_is_refused(
    proxies: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DistillgameError, match=message):
        plain_settings(POE, TEACHER, {name: ModelSpec(**spec) for name, spec in proxies.items()}, {})


def test_without_vllm_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    settings = plain_settings(POE, TEACHER, {"proxy": ModelSpec(source="embedded:bestiary-proxy")}, {})
    with pytest.raises(DistillgameError, match=r"vLLM is not installed.*docs/vllm\.md"):
        start_engine(TEACHER, settings, {})
