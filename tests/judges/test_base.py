from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, Exhibit, Judge, Judgement, Scale, Tools, judge_all

EXHIBITS = [Exhibit("a", "?", "b")]


class Says(Judge):
    """A judge that says what a test tells it to."""

    name: ClassVar[str] = "says"

    def __init__(self, *scores: dict[str, float]):
        self._scores = scores

    @property
    def scales(self) -> Mapping[str, Scale]:
        return {AUDITABILITY: Scale(1, 5)}

    def judge(self, exhibits: Sequence[Exhibit], tools: Tools) -> list[Judgement]:
        return [Judgement(scores) for scores in self._scores]


def test_scores_on_their_scales_pass() -> None:
    assert judge_all(Says({AUDITABILITY: 5}), EXHIBITS, Tools()) == [Judgement({AUDITABILITY: 5})]
    assert judge_all(Says({}), EXHIBITS, Tools()) == [Judgement()]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([{AUDITABILITY: 6.0}], "6.0 is no score on its scale of 'auditability'"),
        ([{AUDITABILITY: float("nan")}], "nan is no score"),
        ([{"beauty": 1.0}], "no score on its scale of 'beauty'"),
        ([], "0 judgements of 1 exhibits"),
    ],
)
def test_a_judge_off_its_scales_is_refused(scores: list[dict[str, float]], message: str) -> None:
    with pytest.raises(DistillgameError, match=f"judge 'says': .*{message}"):
        judge_all(Says(*scores), EXHIBITS, Tools())
