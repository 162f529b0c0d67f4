from pathlib import Path
from typing import Any

import pytest
import yaml

from distillgame.arena import load_config
from distillgame.documents import CONFIGS
from distillgame.errors import DistillgameError


def test_choices_are_written_short(tiny: dict[str, Any]) -> None:
    config = load_config(tiny)
    assert [choice.label for choice in config.policies] == ["standard", "poe gamma=0.5", "ads lambda=0.2"]
    assert [choice.student.name for choice in config.students] == ["untrained", "passive", "adaptive"]


def test_labels_show_any_option(tiny: dict[str, Any]) -> None:
    tiny["task"] = {"gsm8k": {"path": "some/folder"}}
    assert load_config(tiny).task.label == "gsm8k path=some/folder"
    assert load_config(tiny, overrides={"policies": [{"poe": {"gamma": 1e-5}}]}).policies[0].label == "poe gamma=1e-05"


def test_labels_and_proxies_of_an_ensemble(tiny: dict[str, Any]) -> None:
    tiny["proxies"] = {"olmo2": "embedded:proxy-olmo2"}
    tiny["policies"] = [
        {"poe": {"gamma": 0.5, "proxies": {"proxy": 1, "olmo2": 0.5}}},
        {"ads": {"lambda": 0.2, "proxies": ["proxy", "olmo2"], "combine": "worst"}},
    ]
    config = load_config(tiny)
    assert [choice.label for choice in config.policies] == [
        "poe gamma=0.5 proxies=proxy:1,olmo2:0.5",
        "ads lambda=0.2 proxies=proxy,olmo2 combine=worst",
    ]
    assert list(config.all_proxies) == ["proxy", "olmo2"]


def test_a_configuration_survives_being_written(tiny: dict[str, Any], tmp_path: Path) -> None:
    config = load_config(tiny)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert load_config(path) == config


def test_quick_replaces_values_and_keeps_the_others(tiny: dict[str, Any]) -> None:
    config = load_config(tiny, quick=True)
    assert config.seeds == [0]
    assert config.splits == {**tiny["splits"], "train": 16}


def test_an_override_replaces_what_it_names_whole(tiny: dict[str, Any]) -> None:
    searched = tiny | {"tuning": {"learning_rate": [1e-3, 2e-3]}}
    assert load_config(searched, overrides={"tuning": {}}).tuning.learning_rate == []
    assert load_config(searched, overrides={"tuning.eta": [2]}).tuning.learning_rate == [1e-3, 2e-3]


def test_overrides_reach_into_sections(tiny: dict[str, Any]) -> None:
    config = load_config(tiny, overrides={"sampling.temperature": 0.9, "seeds": [5]})
    assert config.sampling.temperature == 0.9
    assert config.sampling.max_new_tokens == 80
    assert config.seeds == [5]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path: Path) -> None:
    assert load_config(path.stem) == load_config(path)
    load_config(path, quick=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tempo": 1}, "unknown key 'tempo'"),
        ({"sampling": {"temprature": 1}}, "unknown key 'sampling.temprature'"),
        ({"policies": ["posh"]}, "unknown policy 'posh'"),
        ({"policies": [{"poe": {"gamma": 2}}]}, "policy 'poe': gamma must be a number between 0 and 1 (found 2)"),
        ({"policies": ["standard", "standard"]}, "'standard' is listed twice"),
        ({"policies": []}, "'policies'"),
        ({"students": [{"adaptive": {"eta": -1}}]}, "student 'adaptive': eta must be a number at least 0"),
        ({"proxy": None}, "policy 'poe' needs a 'proxy'"),
        ({"policies": [{"poe": {"gamma": 0.5, "proxies": ["big"]}}]}, "policy 'poe' needs 'big' among the 'proxies'"),
        ({"proxies": {"proxy": "embedded:proxy"}}, "proxies: 'proxy' has its own place in the configuration"),
        ({"splits": {"train": 24, "tset": 4}}, "splits.tset: unknown split"),
        ({"splits": {"train": 24}}, "splits.test: at least 2 problems are needed"),
        ({"splits": {"train": 24, "test": 9, "holdout": 3}}, "splits.defender: needed"),
        ({"splits": {"train": 24, "test": 9, "defender": 3}}, "splits.holdout: needed"),
        ({"seeds": [1, 1]}, "a seed is listed twice"),
        ({"training": {"learning_rate": 0}}, "'training.learning_rate'"),
        ({"teacher": "init:16x2"}, "init:16x2"),
        ({"compute": {"workers": 0}}, "must be 'auto' or at least 1"),
    ],
)
def test_wrong_fields_are_named(tiny: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillgameError) as caught:
        load_config({**tiny, **change})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": {"source": "embedded:teacher", "dtype": "bfloat16"}}, "policy with derivatives needs float32"),
        ({"proxy": {"source": "embedded:proxy", "dtype": "bfloat16"}},
         "'proxy' has dtype 'bfloat16', the teacher 'auto'"),
        ({"student": {"source": "init:32x1", "tokenizer": "embedded:teacher"}}, "student: 'init:32x1': vLLM needs"),
        ({"student": {"source": "embedded:student", "tokenizer": "embedded:teacher"}}, "student.tokenizer: not"),
        ({"evaluation": {"temperature": 0.005}}, "evaluation.temperature: vLLM samples at no temperature between"),
        ({"evaluation": {"max_new_tokens": 500}}, "up to 500 tokens leave no room for a prompt in max_model_len, 500"),
        ({"training": {"lora": {"rank": 513, "alpha": 1}}}, "rank 512 at most"),
    ],
)  # fmt: skip
def test_what_vllm_would_refuse_hours_later_is_refused_at_once(
    tiny: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    assert load_config(tiny | change).sampling.engine is None
    engine = {"vllm": {"max_model_len": 500}}
    with pytest.raises(DistillgameError, match=message):
        load_config(tiny | change, overrides={"sampling.engine": engine, "evaluation.engine": engine})


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        DistillgameError,
        match=r"nowhere\.yaml: no such configuration file \(shipped ones: attribution, bestiary",
    ):
        load_config("nowhere.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(DistillgameError, match=r"bad\.yaml: not readable YAML"):
        load_config(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(DistillgameError, match=r"list\.yaml: a configuration is a mapping"):
        load_config(tmp_path / "list.yaml")
