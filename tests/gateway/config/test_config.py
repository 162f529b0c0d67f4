"""The owner's configuration: what is refused at the start rather than pretended later."""

from pathlib import Path
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.gateway.config import Range, load_serving
from distillgame.gateway.ledger.location import SHIPPED


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_are_sound(path: Path) -> None:
    assert load_serving(path.stem).tiers


def test_a_defended_policy_is_narrow_unless_the_owner_widens_it() -> None:
    config = load_serving(overrides={"temperature": 0.7, "policies.wide": {"release": {"poe": {"gamma": 0.5}},
                          "temperature": [0.5, 1], "top_p": [0.9, 1], "logprobs": 3}})  # fmt: skip
    poe, wide, open_ = config.served("poe"), config.served("wide"), config.served("undefended")
    assert (poe.temperature, poe.top_p, poe.logprobs) == (Range(low=0.7, high=0.7), Range(low=1, high=1), None)
    assert (wide.temperature, wide.top_p, wide.logprobs) == (Range(low=0.5, high=1), Range(low=0.9, high=1), 3)
    assert (open_.temperature, open_.logprobs) == (Range(low=0.1, high=2), 20)
    assert load_serving(overrides={"policies.undefended.logprobs": None}).served("undefended").logprobs is None


POE = {"release": {"poe": {"gamma": 0.5}}}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"tiers.standard.policy": "nothing"}, "tiers.standard.policy: unknown policy 'nothing'"),
        ({"tiers.standard.budget.beyond": "undefended"},
         "'undefended' is weaker than 'poe': it is undefended; choose a stronger policy"),
        ({"tiers.standard.flagged": "undefended"}, "tiers.standard.flagged: 'undefended' is weaker"),
        ({"policies.poe": {**POE, "temperature": [0, 1]}}, "allows temperature 0, which has no KL"),
        ({"policies.poe": {**POE, "temperature": [1, 0.5]}}, "policies.poe.temperature': 1 is above 0.5"),
        ({"policies.undefended": {"release": "standard"}}, "policy 'undefended' allows temperature 0"),
        ({"tiers.guarded.flagged": "poe"}, "'poe' is weaker than 'poe_strong': its gamma is 0.5, not 0.7"),
        ({"tiers.answer_only.flagged": "poe_strong"}, "it releases whole completions"),
        ({"policies.shown": {**POE, "logprobs": 2}, "tiers.standard.flagged": "shown"}, "shows more log-probabilities"),
        ({"proxy": None}, "policy 'poe' needs a proxy called 'proxy'"),
        ({"policies.poe.release": {"poe": {"gamma": 7}}}, "gamma must be a number between 0 and 1"),
        ({"policies.poe.release": {"poe": {"gamma": 0.5, "form": "summary"}}}, "form 'summary' is not served"),
        ({"policies.a": {"release": {"ads": {"lambda": 0.2}}}}, "needs 'directions.proxy'"),
        ({"tiers.standard.limits.tokens_per_minute": 100}, "less than the 512 tokens"),
        ({"upstream.url": "http://h/v1"}, "the upstream reports neither KL nor value"),
        ({"upstream.url": "ftp://h/v1"}, "http:// or https://"),
        ({"server.tls_cert": "cert.pem"}, "name both or neither"),
        ({"server.port": 70000}, "server.port"),
        ({"engine.speculative": False, "tiers.trusted.budget": {"value_per_day": 5},
          "policies.undefended.temperature": [0.5, 1]}, "no proxy reads what policy 'undefended' releases"),
        ({"tiers.x": {"policy": "poe", "polcy": 1}}, "unknown key 'tiers.x.polcy'"),
        ({"policies": {}}, "policies"),
        ({"policies.bare": {"release": {"standard": {"form": "answer_only"}}}, "tiers.answer_only.flagged": "bare"},
         "its policy is 'standard', not 'poe'"),
        ({"vllm.enabled": True, "upstream": {"url": "http://h/v1"}}, "another server samples already"),
        ({"vllm.enabled": True, "policies.p": {"release": {"permutation": {"lambda": 0.5}}},
          "directions.proxy": "g"}, "is a control, which is not served through vLLM"),
        ({"vllm.max_model_len": 0}, "vllm.max_model_len"),
        ({"vllm.max_model_len": 512}, "leave no room for a prompt in 'vllm.max_model_len', 512"),
        ({"vllm.arguments": {"max_num_seqs": 3}}, "'max_num_seqs' is set by 'batch_size'"),
        ({"vllm.argument": {}}, "unknown key 'vllm.argument'"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_in_one_line(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(DistillgameError) as error:
        load_serving(overrides=overrides)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_vllm_reads_proxies_under_every_policy_so_that_value_is_measured() -> None:
    overrides = {"engine.speculative": False, "tiers.trusted.budget": {"value_per_day": 5},
                 "policies.undefended.temperature": [0.5, 1], "vllm.enabled": True}  # fmt: skip
    assert load_serving(overrides=overrides).uses_vllm
    assert not load_serving(overrides={"vllm": {"enabled": False}}).uses_vllm


def test_where_no_policy_is_named_the_strictest_is_served() -> None:
    assert load_serving().strictest.label == "poe gamma=0.7"
    only = {"policies": {"open": {"release": "standard"}}, "tiers": {"all": {"policy": "open"}}}
    assert load_serving(overrides=only).strictest.label == "standard"


def test_an_upstream_may_have_a_budget_of_tokens_or_be_one_of_ours() -> None:
    tokens = {"upstream.url": "http://h/v1", "tiers": {"t": {"policy": "poe", "budget": {"tokens_per_day": 9}}}}
    assert load_serving(overrides=tokens).upstream is not None
    ours = {"upstream": {"url": "http://h/v1", "measured": True}}
    assert load_serving(overrides=ours).upstream is not None


def test_files_stand_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "proxy: embedded:proxy\npolicies: {a: {release: {ads: {lambda: 0.2}}}}\ntiers: {t: {policy: a}}\n"
        "directions: {proxy: g.safetensors}\nmonitor: {reference: benign.txt}\n"
    )
    config = load_serving(tmp_path / "c.yaml")
    assert config.directions == {"proxy": tmp_path / "g.safetensors"}
    assert config.monitor.reference == tmp_path / "benign.txt"
