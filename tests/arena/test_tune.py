import json
from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.tune import tune
from distillgame.errors import DistillgameError


def test_tuning_searches_in_order_on_the_validation_split(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny |= {
        "seeds": [0],
        "policies": ["standard", {"poe": {"gamma": 0.5}}],
        "tuning": {
            "learning_rate": [1e-5, 1e-3],
            "strengths": {"poe": {"gamma": [0.0, 1.0]}},
            "eta": [0.0, 2.0],
            "teacher_accuracy": 0.99,
        },
    }
    result = tune(load_config(tiny), tmp_path, progress=False)
    assert result.strengths == {"poe": {"gamma": 0.0}}  # nearly always right, against a proxy that rarely is
    assert result.learning_rate in (1e-5, 1e-3)
    assert result.eta in (0.0, 2.0)
    assert [trial.what for trial in result.trials] == ["strength"] * 2 + (["passive"] * 2 + ["adaptive"] * 4) * 2
    assert {trial.policy for trial in result.trials[2:]} == {"standard", "poe gamma=0"}
    best = max(
        ((rate, eta) for rate in (1e-5, 1e-3) for eta in (0.0, 2.0)),
        key=lambda pair: sum(t.accuracy for t in result.trials if (t.learning_rate, t.eta) == pair),
    )
    assert (result.learning_rate, result.eta) == best
    assert json.loads((tmp_path / "tuning.json").read_text()) == result.model_dump()
    asked = {path.name for path in (tmp_path / "stages").iterdir()}
    assert any("validation" in name for name in asked)
    assert not any("test" in name for name in asked)


def test_nothing_to_search_is_an_error(tiny: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match="tuning: nothing to search"):
        tune(load_config(tiny), tmp_path)


def test_a_policys_other_options_are_kept(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny |= {"seeds": [0], "policies": ["standard", {"equilibrium_gap": {"eta": 0.3, "kappa": 9.0}}]}
    tiny["tuning"] = {"strengths": {"equilibrium_gap": {"kappa": [0.1, 0.2]}}}
    result = tune(load_config(tiny), tmp_path, progress=False)
    assert [trial.policy for trial in result.trials] == [f"equilibrium_gap eta=0.3 kappa={k}" for k in (0.1, 0.2)]


def test_a_policy_that_is_listed_twice_is_not_tuned_by_name(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["policies"] = [{"poe": {"gamma": 0.3}}, {"poe": {"gamma": 0.5}}]
    tiny["tuning"] = {"strengths": {"poe": {"gamma": [0.4]}}}
    with pytest.raises(DistillgameError, match="lists this policy 2 times"):
        tune(load_config(tiny), tmp_path, progress=False)


def test_one_parameter_at_a_time(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["tuning"] = {"strengths": {"poe": {}}}
    with pytest.raises(DistillgameError, match=r"tuning\.strengths\.poe: list the values of exactly one parameter"):
        tune(load_config(tiny), tmp_path, progress=False)
