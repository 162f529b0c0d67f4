"""Who may choose a policy, and what becomes of requests that may not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.policies import ProductOfExperts, Standard
from distillgame.vllm import POLICY, SECRET, DefenseSettings, require_version
from distillgame.vllm.settings import KEYS, PREFIX, trusted

STRICT = {"policy": {"poe": {"gamma": 0.9}}, "proxies": {"proxy": "a", "half": "b"}}


def settings(**changes: Any) -> DefenseSettings:
    return DefenseSettings.of(SimpleNamespace(distillgame=STRICT | changes))


def test_the_gateway_chooses_any_policy_with_its_options() -> None:
    told = {SECRET: "s", POLICY: "poe", "distillgame_gamma": 0.2, "distillgame_proxies": {"half": 1.0}}
    chosen = settings().chosen(told, "s")
    assert isinstance(chosen, ProductOfExperts)
    assert (chosen.gamma, chosen.proxy_names) == (0.2, ("half",))
    assert isinstance(settings().chosen({SECRET: "s", POLICY: "standard"}, "s"), Standard)


@pytest.mark.parametrize(
    ("arguments", "secret"),
    [
        ({}, "s"),
        ({POLICY: "standard"}, "s"),
        ({POLICY: "standard", SECRET: "guessed"}, "s"),
        ({POLICY: "standard", SECRET: ""}, "s"),
        ({POLICY: "standard", SECRET: None}, "s"),
        ({POLICY: "standard", SECRET: ["s"]}, "s"),
        ({POLICY: "standard", SECRET: "s"}, None),
        ({POLICY: "standard", SECRET: "\ud800"}, "s"),
        ({SECRET: "s"}, "s"),
        ({POLICY: 7, SECRET: "s"}, "s"),
        ({POLICY: "no such policy", SECRET: "s"}, "s"),
        ({POLICY: "poe", SECRET: "s"}, "s"),
        ({POLICY: "poe", SECRET: "s", "distillgame_gamma": 7}, "s"),
        ({POLICY: "poe", SECRET: "s", "distillgame_gamma": 0.1, "distillgame_typo": 1}, "s"),
        ({POLICY: "poe", SECRET: "s", "distillgame_gamma": 0.1, "distillgame_proxies": ["unknown"]}, "s"),
        ({POLICY: "ads", SECRET: "s", "distillgame_lambda": 0.1}, "s"),
        ({POLICY: "keyed", SECRET: "s"}, "s"),
        ({POLICY: "watermark", SECRET: "s", "distillgame_delta": 2.0}, "s"),
        ({POLICY: "permutation", SECRET: "s", "distillgame_lambda": 0.1}, "s"),
    ],
)
def test_everybody_else_gets_the_strictest_policy(arguments: dict[str, Any], secret: str | None) -> None:
    """Also the gateway itself, where its arguments make no policy that can be served."""
    chosen = settings().chosen(arguments, secret)
    assert isinstance(chosen, ProductOfExperts)
    assert chosen.gamma == 0.9


def test_an_empty_secret_in_the_environment_lets_nobody_choose() -> None:
    assert not trusted({SECRET: ""}, None)
    assert trusted({SECRET: "s"}, "s")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proxies": {}}, "needs a proxy called 'proxy'"),
        ({"policy": {"poe": {"gamma": 2}}}, "gamma must be a number between 0 and 1"),
        ({"policy": {"poe": {"gamma": 0.5, "proxies": ["other"]}}}, "needs a proxy called 'other'"),
        ({"policy": {"ads": {"lambda": 0.5}}}, "needs 'directions.proxy'"),
        ({"policy": {"permutation": {"lambda": 0.5}}}, "is a control"),
        ({"policy": {"keyed": {"on": {"poe": {"gamma": 0.5}}}}}, "is a mark, and vLLM draws tokens without its key"),
        ({"police": "standard"}, "police"),
    ],
)
def test_settings_that_cannot_be_served_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        settings(**changes)


def test_a_model_without_settings_is_refused() -> None:
    with pytest.raises(DistillgameError, match="--hf-overrides: 'distillgame'"):
        DefenseSettings.of(SimpleNamespace())


def test_directions_make_policies_with_derivatives_possible() -> None:
    found = settings(policy={"ads": {"lambda": 0.5}}, directions={"proxy": "g.safetensors"})
    assert found.directions == {"proxy": Path("g.safetensors")}


def test_a_control_is_released_where_its_keys_are_told() -> None:
    """Without them nothing could be drawn, and the engine would end."""
    found = settings(directions={"proxy": "g.safetensors"})
    asked = {SECRET: "s", POLICY: "permutation", f"{PREFIX}lambda": 0.5}
    assert found.chosen(asked | {KEYS: [0, "r", 4, 0]}, "s").name == "permutation"
    assert found.chosen(asked, "s").name == "poe"


@pytest.mark.parametrize("version", ["0.32.0", "0.32.1+cpu"])
def test_known_versions_are_accepted(version: str) -> None:
    require_version(version)


@pytest.mark.parametrize("version", ["0.31.9", "0.33.0", "0.320.0", "dev", ""])
def test_other_versions_are_refused_with_a_word_on_what_to_do(version: str) -> None:
    with pytest.raises(DistillgameError, match=r"knows 0\.32\.\* only.*docs/vllm\.md"):
        require_version(version)
