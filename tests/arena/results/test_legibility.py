"""From judged exhibits to rows: right values, and what the controls say about a judge."""

import random
from collections.abc import Iterator

import pytest

from distillgame.arena.config import load_config
from distillgame.arena.results.judge_flags import judge_flags
from distillgame.arena.results.judges import agreements, judge_row
from distillgame.arena.results.legibility import legibility_rows
from distillgame.judges import AUDITABILITY, KINDS
from distillgame.records import JudgedExhibit, Legibility, Role
from tests.report.fixtures import game as made_up

PROBLEMS = 30


def exhibit(
    problem: int,
    score: float | None,
    defense: str | None = "standard",
    role: Role = "trace",
    kind: str | None = None,
    correct: bool | None = None,
    characters: int = 100,
) -> JudgedExhibit:
    scores = {} if score is None else {AUDITABILITY: score, "true": score / 5}
    failure = None if score is not None else "malformed"
    return JudgedExhibit(
        role=role, defense=defense, kind=kind, problem_id=str(problem), correct=correct, characters=characters,
        scores=scores, failure=failure, prompt_tokens=7, tokens=2,
    )  # fmt: skip


def game(poe: list[float | None]) -> list[JudgedExhibit]:
    """Traces: the undefended teacher's score 5, PoE's as given; every third answer is wrong, the later are longer."""
    return [
        *(exhibit(i, 5, correct=i % 3 > 0, characters=100 + i) for i in range(PROBLEMS)),
        *(exhibit(i, score, "poe gamma=0.5", correct=i % 3 > 0, characters=100 + i) for i, score in enumerate(poe)),
    ]


def anchors(**scores: float) -> Iterator[JudgedExhibit]:
    rng = random.Random(0)
    for kind in KINDS:
        for i in range(12):
            score = min(5.0, scores[kind] + rng.random() / 4)
            yield exhibit(i, score, None, "anchor", kind)


def test_a_defense_is_described_by_its_scores_and_compared_with_the_undefended_teacher() -> None:
    poe = [3.4 if i % 3 else 2.0 for i in range(PROBLEMS)]
    standard, row = legibility_rows("checked", game(list(poe)))
    assert row.auditability is not None
    assert row.auditability.mean == pytest.approx(sum(poe) / PROBLEMS)
    assert row.auditability.interval.low < row.auditability.mean < row.auditability.interval.high
    assert [round(level.share, 6) for level in row.levels] == [0, round(1 / 3, 6), round(2 / 3, 6), 0, 0]
    assert row.if_correct is not None
    assert row.if_wrong is not None
    assert [row.if_correct.mean, row.if_wrong.mean] == pytest.approx([3.4, 2.0])
    assert [score.n for score in row.by_length if score] == [10, 10, 10]
    assert row.criteria["true"].mean == pytest.approx(sum(poe) / PROBLEMS / 5)
    assert row.over_standard is not None
    assert row.over_standard.value == pytest.approx(sum(poe) / PROBLEMS - 5)
    assert row.over_standard.significant
    assert standard.over_standard is None
    assert [level.share for level in standard.levels] == [0, 0, 0, 0, 1]
    assert (row.prompt_tokens, row.tokens) == (7 * PROBLEMS, 2 * PROBLEMS)


def test_no_difference_is_not_significant() -> None:
    shift = legibility_rows("checked", game([5.0] * PROBLEMS))[1].over_standard
    assert shift is not None
    assert (shift.value, shift.p_value, shift.significant) == (0, 1, False)


def test_what_was_not_scored_is_counted_and_not_averaged() -> None:
    poe = [None if i < 10 else 4.0 for i in range(PROBLEMS)]
    row = legibility_rows("rubric", game(list(poe)))[1]
    assert row.failures == {"malformed": 10}
    assert row.auditability is not None
    assert (row.auditability.mean, row.auditability.n) == (4, 20)
    assert row.over_standard is not None
    assert row.over_standard.n == 20
    nothing = legibility_rows("rubric", game([None] * PROBLEMS))[1]
    assert nothing.auditability is None
    assert nothing.levels == []
    assert nothing.over_standard is None


def test_controls_say_what_a_judge_is_worth() -> None:
    order = {"reference": 4.5, "shuffled": 4.5, "planted": 3.0, "garbled": 2.0, "answer_alone": 1.0}
    exhibits = [
        *game([4.0] * PROBLEMS),
        *(exhibit(i, 4.5, role="repeat") for i in range(4)),
        *anchors(**order),
        *(exhibit(i, 4.9, None, "injected", "reference") for i in range(12)),
    ]
    row = judge_row("rubric", exhibits)
    assert {anchor.kind: anchor.in_order for anchor in row.anchors} == {
        "reference": None, "shuffled": False, "planted": True, "garbled": True, "answer_alone": True
    }  # fmt: skip
    assert row.repeated == pytest.approx(0.5)
    assert row.moved is not None
    assert 0 < row.moved.mean < 0.5
    assert row.moved_share == 0
    assert row.scored == len(exhibits)
    assert row.tokens == 2 * len(exhibits)
    assert row.length_correlation == pytest.approx(0, abs=0.2)


def test_judges_agree_as_far_as_they_do() -> None:
    rng = random.Random(1)
    first = [exhibit(i, rng.randint(1, 5)) for i in range(60)]
    same = {"a": first, "b": first}
    (row,) = agreements(same)
    assert [row.alpha, row.kappa, row.n] == pytest.approx([1, 1, 60])
    by_chance = {"a": first, "b": [exhibit(i, rng.randint(1, 5)) for i in range(60)]}
    (row,) = agreements(by_chance)
    assert row.alpha_interval.low < 0.2
    assert abs(row.alpha) < 0.4
    assert agreements({"a": first, "b": [exhibit(i, None) for i in range(60)]}) == []


@pytest.mark.parametrize(
    ("rises", "falls", "flagged"), [(3, 0, True), (2, 0, False), (6, 6, False), (9, 2, True), (0, 12, False)]
)
def test_a_noisy_judge_is_not_taken_for_one_that_is_talked_round(rises: int, falls: int, flagged: bool) -> None:
    levels = [5.0] * rises + [3.0] * falls + [4.0] * (30 - rises - falls)
    random.Random(0).shuffle(levels)
    talked = [exhibit(i, moved, None, "injected", "reference") for i, moved in enumerate(levels)]
    plain = [exhibit(i, 4.0, None, "anchor", "reference") for i in range(30)]
    row = judge_row("rubric model=some/one", [*plain, *talked])
    assert [row.moved_share, row.fallen_share] == [rises / 30, falls / 30]
    legibility = Legibility(problems=30, judges=[row], rows=[], agreements=[])
    config = load_config("leg_counting", overrides={"judge": [{"rubric": {"model": "some/one"}}]})
    flags = [flag.flag for flag in judge_flags(made_up().model_copy(update={"legibility": legibility}), config)]
    assert ("judge_is_talked_round" in flags) == flagged


@pytest.mark.parametrize(("second", "flagged"), [(4.0, False), (3.0, False), (1.0, True)])
def test_a_judge_that_follows_the_order_of_its_levels_is_flagged(second: float, flagged: bool) -> None:
    traces = [exhibit(i, 4.0) for i in range(8)]
    again = [exhibit(i, second, role="repeat") for i in range(8)]
    row = judge_row("checked", [*traces, *again])
    assert row.repeated == 4 - second
    legibility = Legibility(problems=8, judges=[row], rows=[], agreements=[])
    config = load_config("leg_counting", overrides={"judge": ["checked"]})
    flags = [flag.flag for flag in judge_flags(made_up().model_copy(update={"legibility": legibility}), config)]
    assert ("judge_wavers" in flags) == flagged


def test_flags_name_what_is_wrong_with_judges() -> None:
    level = {"reference": 4.0, "shuffled": 4.0, "planted": 4.0, "garbled": 1.0, "answer_alone": 1.0}
    talked = [
        *(exhibit(i, 1 + i / 10, characters=100 + i) for i in range(PROBLEMS)),
        *anchors(**level),
        *(exhibit(i, 5.0, None, "injected", "reference") for i in range(12)),
    ]
    checked = [exhibit(i, 5 - i / 10, characters=100 + i) for i in range(PROBLEMS)]
    family = "rubric model=openai-api/local/embedded-judge"
    judged = {family: talked, "checked": checked}
    legibility = Legibility(
        problems=PROBLEMS,
        judges=[judge_row(judge, exhibits) for judge, exhibits in judged.items()],
        rows=[],
        agreements=agreements(judged),
    )
    names = [family.split("=")[1], "checked"]
    config = load_config("leg_counting", overrides={"judge": [{"rubric": {"model": names[0]}}, "checked"]})
    results = made_up().model_copy(update={"legibility": legibility})
    flags = [*judge_flags(results, config)]
    assert [flag.flag for flag in flags] == [
        "anchors_out_of_order", "length_explains_score", "judge_is_talked_round", "judge_of_the_family",
        "length_explains_score", "judges_disagree",
    ]  # fmt: skip
    assert "shuffled, planted" in flags[0].message
    assert [*judge_flags(made_up(), config)] == []
