from pathlib import Path

import pytest

from distillgame.decoding import Calibration, Engine
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import make_policy

MEASURED = Calibration(teacher={1: [1.0, 1.5], 9: [3.0, 5.0]}, proxy={1: 0.1, 9: 0.5}, decide=0.01)


def test_costs_between_measured_batches_lie_on_a_line() -> None:
    assert MEASURED.teacher_seconds(5, 1) == pytest.approx(2.0)
    assert MEASURED.teacher_seconds(17, 2) == pytest.approx(8.5)
    assert MEASURED.proxy_seconds(3) == pytest.approx(0.2)


def test_a_calibration_survives_a_round_trip(tmp_path: Path) -> None:
    MEASURED.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == MEASURED
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


@pytest.mark.parametrize("text", ["", "{", '{"teacher": {}, "proxy": {"1": 1}}'])
def test_a_damaged_calibration_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(DistillgameError, match=r"c\.json: cannot be read; delete it to measure again"):
        Calibration.load(tmp_path / "c.json")


def test_measured_costs_are_positive_and_never_fall_with_width(teacher: LanguageModel, proxy: LanguageModel) -> None:
    engine = Engine(teacher, make_policy("poe", {"gamma": 0.5}), proxies={"proxy": proxy}, batch_size=3)
    measured = engine.calibrate()
    assert set(measured.teacher) == set(measured.proxy) == {1, 3}
    for costs in measured.teacher.values():
        assert costs == sorted(costs)
        assert costs[0] > 0
    assert measured.decide > 0
    again = engine.calibrate(Calibration(teacher={3: [7.0] * 9}, proxy={3: 1.0}))
    assert again.teacher[3] == [7.0] * 9
    assert again.teacher[1] != [7.0] * 9
    assert again.proxy[3] < 1.0


def test_without_a_proxy_there_is_nothing_to_measure(teacher: LanguageModel) -> None:
    with pytest.raises(DistillgameError, match="nothing to calibrate"):
        Engine(teacher, make_policy("standard")).calibrate()
