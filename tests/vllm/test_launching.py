"""What of a model's specification vLLM honours, and what is refused instead of ignored."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.models import CacheShape, ModelSpec
from distillgame.policies import PolicyChoice
from distillgame.vllm.launching import adapter_arguments, plain_settings, require_device, start_engine

TEACHER = ModelSpec(source="embedded:bestiary-teacher")
POE = PolicyChoice(name="poe", options={"gamma": 0.5})


def test_proxies_are_given_by_their_folders() -> None:
    settings = plain_settings(POE, TEACHER, {"proxy": ModelSpec(source="embedded:bestiary-proxy")}, {})
    assert settings.proxies["proxy"].endswith("embedded/bestiary-proxy")


def test_numbers_for_estimates_are_nothing_that_vllm_has_to_honour() -> None:
    proxy = ModelSpec(source="embedded:bestiary-proxy", parameters=3e5, cache=CacheShape(layers=2, heads=4, size=28))
    assert plain_settings(POE, TEACHER, {"proxy": proxy}, {}).proxies


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


def test_a_revision_is_read_from_its_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM would take a revision of the teacher alone."""
    asked = []

    def download(name: str, revision: str, allow_patterns: list[str]) -> str:
        asked.append((name, revision))
        assert "*.safetensors" in allow_patterns
        return f"/cache/{revision}"

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    settings = plain_settings(POE, TEACHER, {"proxy": ModelSpec(source="some/model@abc")}, {})
    assert settings.proxies == {"proxy": "/cache/abc"}
    assert asked == [("some/model", "abc")]


def test_proxies_may_say_the_precision_of_the_teacher() -> None:
    proxy = ModelSpec(source="embedded:proxy", dtype="bfloat16")
    assert plain_settings(POE, TEACHER.model_copy(update={"dtype": "bfloat16"}), {"proxy": proxy}, {}).proxies


def test_adapters_have_to_be_merged_first(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    with pytest.raises(DistillgameError, match="merged into their base model first"):
        plain_settings(POE, TEACHER, {"proxy": ModelSpec(source=str(tmp_path))}, {})


@pytest.mark.parametrize(("rank", "room"), [(1, 8), (8, 8), (9, 16), (200, 256), (512, 512)])
def test_adapters_get_the_smallest_room_for_their_rank(tmp_path: Path, rank: int, room: int) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": rank}))
    assert adapter_arguments(str(tmp_path)) == {"enable_lora": True, "max_lora_rank": room}


def test_vllm_has_to_be_there_and_to_run_where_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"vllm": None}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found[name])
    with pytest.raises(DistillgameError, match=r"vLLM is not installed in this environment: see docs/vllm\.md"):
        require_device("cpu")
    found["vllm"] = object()  # type: ignore[assignment]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    require_device("cuda")
    with pytest.raises(DistillgameError, match="on the GPU where there is one, not on 'cpu'"):
        require_device("cpu")


def test_without_vllm_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    settings = plain_settings(POE, TEACHER, {"proxy": ModelSpec(source="embedded:bestiary-proxy")}, {})
    with pytest.raises(DistillgameError, match=r"vLLM is not installed.*docs/vllm\.md"):
        start_engine(TEACHER, settings, {})
