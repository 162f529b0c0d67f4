import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from distillgame.arena import load_config
from distillgame.arena.calibrate.budgets import AccuracyLoss, KLBudget
from distillgame.arena.calibrate.policy import FRESH, Calibrated, as_yaml, calibrate_policy, file_name
from distillgame.arena.calibrate.student import calibrate_student
from distillgame.errors import DistillgameError
from distillgame.policies import PolicyChoice
from distillgame.records import Trace, read_traces
from distillgame.stats import standard_error
from tests.arena.conftest import TINY
from tests.records.test_traces import MEASURED

POE = PolicyChoice(name="poe")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Calibrated, list[str]]:
    out = tmp_path_factory.mktemp("calibrated")
    said: list[str] = []
    result = calibrate_policy(
        load_config(config()), POE, KLBudget(0.5), out, 30, 60, progress=False, report=said.append
    )
    return out, result, said


def config(**changes: Any) -> dict[str, Any]:
    return {**TINY, "splits": {**TINY["splits"], "validation": 60}, **changes}


def sampled(out: Path) -> dict[str, list[Trace]]:
    return {path.parent.name: read_traces(path) for path in out.glob("stages/*/traces.parquet")}


def test_the_strength_found_spends_the_budget_on_the_pilot(calibrated: tuple[Path, Calibrated, list[str]]) -> None:
    out, result, _ = calibrated
    assert result.pilot.value == pytest.approx(0.5, rel=0.1)
    gamma = result.choice.options["gamma"]
    (traces,) = (t for name, t in sampled(out).items() if f"gamma-{gamma:g}-" in name and t[0].seed == 0)
    assert result.pilot.value == pytest.approx(np.mean([trace.kl for trace in traces]))
    assert result.pilot.n == 30


def test_fresh_samples_share_no_problem_and_no_random_number_with_the_pilot(
    calibrated: tuple[Path, Calibrated, list[str]],
) -> None:
    out, result, _ = calibrated
    traces = [trace for group in sampled(out).values() for trace in group if trace.policy == "poe"]
    pilot, fresh = ([t for t in traces if (t.seed >= FRESH) is late] for late in (False, True))
    assert not {t.problem_id for t in pilot} & {t.problem_id for t in fresh}
    assert {t.split for t in traces} == {"validation"}
    assert {(t.seed, t.strength["gamma"]) for t in fresh} == {
        (FRESH + k, result.choice.options["gamma"]) for k in range(2)
    }
    kl = np.array([[t.kl for t in fresh if t.seed == FRESH + k] for k in range(2)])
    found = dict(vars(result.fresh))
    half = 1.96 * standard_error(kl)
    assert found.pop("interval") == pytest.approx((kl.mean() - half, kl.mean() + half))
    assert found == pytest.approx({"value": kl.mean(), "standard_error": standard_error(kl), "n": 60})


def test_every_strength_is_measured_with_common_random_numbers(calibrated: tuple[Path, Calibrated, list[str]]) -> None:
    """Nearby strengths then draw nearly the same traces, and their difference is not noise."""
    out, result, _ = calibrated
    tried = sorted(t.x for t in result.trials[1:])
    close = min(pairwise(tried), key=lambda pair: pair[1] - pair[0])
    assert close[1] - close[0] < 0.05
    first, second = (
        next(t for name, t in sampled(out).items() if f"gamma-{x:g}-" in name and t[0].seed == 0) for x in close
    )
    assert [t.problem_id for t in first] == [t.problem_id for t in second]
    assert np.mean([a.completion == b.completion for a, b in zip(first, second, strict=True)]) > 0.5


def test_the_result_is_kept_and_every_trial_was_reported(calibrated: tuple[Path, Calibrated, list[str]]) -> None:
    out, result, said = calibrated
    written = json.loads((out / "calibrated-poe-epsilon-0.5.json").read_text())
    assert written["policy"] == {"poe": result.choice.options}
    assert written["trials"] == [vars(trial) for trial in result.trials]
    assert written["fresh"]["interval"] == list(result.fresh.interval)
    assert written["met"] == (result.fresh.interval[0] <= 0.5 <= result.fresh.interval[1])
    assert len(said) == len(result.trials) - 1
    assert "nats per trace (95% interval" in said[0]


def test_a_second_search_samples_only_what_is_new(calibrated: tuple[Path, Calibrated, list[str]]) -> None:
    out, result, _ = calibrated
    before = {path: path.stat().st_mtime_ns for path in out.glob("stages/*/stage.json")}
    again = calibrate_policy(load_config(config()), POE, KLBudget(0.5), out, 30, 60, progress=False)
    assert again == result
    assert {path: path.stat().st_mtime_ns for path in out.glob("stages/*/stage.json")} == before


def test_a_budget_beyond_reach_says_what_can_be_had(calibrated: tuple[Path, Calibrated, list[str]]) -> None:
    out = calibrated[0]
    with pytest.raises(DistillgameError, match=r"epsilon=900: cannot be met; policy 'poe' has KL .* at gamma 1"):
        calibrate_policy(load_config(config()), POE, KLBudget(900), out, 30, 30, progress=False)


def test_an_accuracy_that_the_teacher_never_had_is_refused(calibrated: tuple[Path, Calibrated, list[str]]) -> None:
    out = calibrated[0]
    with pytest.raises(DistillgameError, match="without any defense the pilot has teacher accuracy"):
        calibrate_policy(load_config(config()), POE, AccuracyLoss(0.999), out, 30, 30, progress=False)


def traces(kl: list[float], tokens: list[int], correct: list[bool]) -> list[Trace]:
    return [replace(MEASURED, kl=k, sampled_tokens=n, correct=c) for k, n, c in zip(kl, tokens, correct, strict=True)]


def test_a_token_is_charged_what_a_trace_costs_over_its_length() -> None:
    found = traces([1.0, 3.0, 2.0, 6.0], [10, 30, 20, 20], [True, False, True, True])
    assert KLBudget(1.0).measure([found]).value == pytest.approx(3.0)
    each = KLBudget(0.1, "token").measure([found])
    assert each.value == pytest.approx(12 / 80)
    # The delta method's error, against many bootstrap samples.
    rng = np.random.default_rng(0)
    rows = np.array([[t.kl, t.sampled_tokens] for t in found] * 50)
    many = KLBudget(0.1, "token").measure([found * 50])
    ratios = [(s := rows[rng.integers(0, 200, 200)].sum(0))[0] / s[1] for _ in range(2000)]
    assert many.standard_error == pytest.approx(np.std(ratios), rel=0.1)


def test_accuracy_is_counted_as_what_is_lost() -> None:
    loss = AccuracyLoss(0.7)
    estimate = loss.measure([traces([1.0] * 4, [9] * 4, [True, True, False, True])])
    assert loss.goal == pytest.approx(0.3)
    assert estimate.value == 0.25
    assert loss.describe(estimate).startswith("teacher accuracy 0.75 (95% interval ")


def test_greedy_traces_have_no_kl_to_budget() -> None:
    greedy = replace(MEASURED, kl=None)
    with pytest.raises(DistillgameError, match=r"sampling\.temperature: 0 leaves no KL"):
        KLBudget(1.0).measure([[greedy, greedy]])


def test_a_choice_is_printed_as_a_line_of_a_configuration() -> None:
    choice = PolicyChoice(name="ads", options={"lambda": 0.2, "proxies": {"a": 1, "b": 2}, "combine": "worst"})
    assert yaml.safe_load(as_yaml(choice)) == [{"ads": choice.options}]
    awkward = PolicyChoice(name="poe", options={"gamma": 1e-5, "proxies": ["on", "org/big model"]})
    assert yaml.safe_load(as_yaml(awkward)) == [{"poe": awkward.options}]
    assert file_name(awkward, "epsilon=0.5") == "calibrated-poe-gamma-1e-05-proxies-on-org-big-model-epsilon-0.5.json"


def test_a_search_by_token_and_one_by_accuracy_go_on_where_they_were(tmp_path: Path) -> None:
    """Trials are stages: what a killed search left is used, and one budget's trials serve another."""

    class KilledError(Exception):
        pass

    def kill(text: str) -> None:
        raise KilledError

    budget = KLBudget(0.01, "token")
    with pytest.raises(KilledError):
        calibrate_policy(load_config(config()), POE, budget, tmp_path, 20, 20, progress=False, report=kill)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("stages/*/stage.json")}
    assert before
    found = calibrate_policy(load_config(config()), POE, budget, tmp_path, 20, 20, progress=False)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.glob("stages/*/stage.json")}
    assert after.items() > before.items()
    assert found.pilot.value == pytest.approx(0.01, rel=0.2)
    loss = calibrate_policy(load_config(config()), POE, AccuracyLoss(0.5), tmp_path, 20, 20, progress=False)
    assert loss.pilot.value == pytest.approx(0.5, abs=0.11)
    assert loss.choice.options["gamma"] > found.choice.options["gamma"]
    assert json.loads((tmp_path / "calibrated-poe-teacher-accuracy-0.5.json").read_text())["measures"]


def test_the_students_tilt_is_found_from_its_budget(tmp_path: Path) -> None:
    said: list[str] = []
    result = calibrate_student(
        load_config(config()), PolicyChoice(name="standard"), 0.05, tmp_path, progress=False, report=said.append
    )
    assert result.pilot == pytest.approx(0.05, rel=0.1)
    assert len(result.fresh) == 1
    reports = list(tmp_path.glob("stages/*/training.json"))
    assert len(reports) == len(said) + len(result.fresh)
    assert result.choice.options["eta"] == result.trials[-1].x
