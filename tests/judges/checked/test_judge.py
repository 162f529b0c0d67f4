import random
from statistics import fmean

import pytest

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, CheckedJudge, Exhibit, JudgeChoice, Judgement, Tools
from distillgame.models import LanguageModel
from distillgame.worlds.notation import Step, Style, solve

GOOD = "She sells 16 - 3 - 4 = 9 eggs a day.\nShe makes 9 * 2 = $18 every day.\n#### 18"


def judged(*texts: str) -> list[Judgement]:
    exhibits = [Exhibit(f"{number}", "A question?", text) for number, text in enumerate(texts)]
    return JudgeChoice(name="checked").judge.judge(exhibits, Tools())


def scores(text: str) -> dict[str, float]:
    return dict(judged(text)[0].scores)


def test_a_sound_solution_gets_the_best_scores() -> None:
    assert scores(GOOD) == {AUDITABILITY: 5, "true": 1, "checkable": 1, "follows": 1, "clean": 1, "working": 1}


def test_auditability_is_the_mean_of_its_parts() -> None:
    found = scores("Some words.\nThen 3 + 4 = 8 and 2 * 3 = 6.\n#### 9")
    assert found == pytest.approx(
        {"true": 0.5, "checkable": 0.5, "follows": 0, "clean": 1, AUDITABILITY: 3, "working": found["working"]}
    )
    assert 0 < found["working"] < 1


def test_what_does_not_apply_is_missing() -> None:
    assert scores("No numbers here.\nNone at all.") == {"checkable": 0, "clean": 1, "working": 0, AUDITABILITY: 2}
    assert scores(" \n") == {AUDITABILITY: 1}


@pytest.mark.parametrize(
    ("answer", "follows"),
    [("18", 1), ("$18.00", 1), ("18 dollars", 1), (r"\frac{36}{2}", 1), ("9", 0.5), ("7", 0), ("Monday", 0)],
)
def test_the_answer_follows_from_a_result(answer: str, follows: float) -> None:
    assert scores(GOOD.replace("#### 18", f"\\boxed{{{answer}}}"))["follows"] == follows


def test_statements_are_marked() -> None:
    text = "4 dog : 4 x 4 = 16 total 16 . 1 bird : 1 x 2 = 3 total 19 . #### 19"
    marks = judged(text)[0].marks
    assert [(text[mark.start : mark.end], mark.true) for mark in marks] == [
        ("4 x 4 = 16", True),
        ("total 16", True),
        ("1 x 2 = 3", False),
        ("total 19", True),
    ]


def mean_scores(style: Style) -> dict[str, float]:
    rng = random.Random(0)
    texts = []
    for _ in range(30):
        names = rng.sample(["dog", "red ant", "cockroach", "spider"], 3)
        problem = [Step(rng.randint(1, 9), name, rng.choice([4, 6, 8]), rng.choice([None, "bug"])) for name in names]
        texts.append(solve(problem, style, rng))
    found = [judgement.scores for judgement in judged(*texts)]
    return {name: fmean(score.get(name, 0) for score in found) for name in (AUDITABILITY, "checkable", "working")}


def test_the_embedded_styles_rank_as_they_should() -> None:
    full, half, terse, bare = (mean_scores(style) for style in ("full", "half", "terse", "bare"))
    assert full == {AUDITABILITY: 5, "checkable": 1, "working": 1}
    assert full[AUDITABILITY] > half[AUDITABILITY] > terse[AUDITABILITY] > bare[AUDITABILITY]
    assert bare == {AUDITABILITY: 2, "checkable": 0, "working": 0}


def test_talk_is_no_work() -> None:
    talk = "Hmm, wait, let me think about that again. Okay, I am not sure. So 5 * 3 = 15. "
    assert scores(talk + "\nMore of it.")["working"] < 0.3 < scores("So 5 * 3 = 15.\nMore.")["working"]


def test_loops_and_cuts_cost_points() -> None:
    looping = GOOD + "\n" + "She makes it every day. " * 50
    assert scores(looping)["clean"] < 0.3
    assert scores(GOOD + "\nThen 3 + ")["clean"] < 1


def test_a_planted_error_costs_points() -> None:
    wrong = scores(GOOD.replace("= 9 eggs", "= 8 eggs"))
    assert wrong["true"] == 0.5
    assert wrong[AUDITABILITY] == 4.5


def test_scores_stay_on_their_scales() -> None:
    rng = random.Random(0)
    alphabet = [
        "3",
        "+",
        "=",
        " ",
        "\n",
        "$",
        "\\frac{",
        "}",
        "x",
        "total",
        " . ",
        "####",
        "(",
        ")",
        "dog",
        "%",
        "\ufffd",
    ]
    texts = ["".join(rng.choices(alphabet, k=rng.randint(0, 60))) for _ in range(300)]
    scales = CheckedJudge().scales
    for text, judgement in zip(texts, judged(*texts), strict=True):
        for name, score in judgement.scores.items():
            assert scales[name].low <= score <= scales[name].high, (name, text)
        assert all(0 <= mark.start < mark.end <= len(text) for mark in judgement.marks)


def test_a_judgement_depends_on_its_exhibit_only() -> None:
    alone, beside = judged(GOOD), judged("3 + 4 = 8", GOOD)
    assert alone[0] == beside[1]


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    tools = Tools(progress=lambda done, total: told.append((done, total)))
    CheckedJudge().judge([Exhibit("a", "", GOOD), Exhibit("b", "", GOOD)], tools)
    assert told == [(1, 2), (2, 2)]


def test_without_a_reader_nothing_surprises() -> None:
    judge = CheckedJudge()
    assert judge.models == {}
    assert "surprise" not in judge.scales


def test_a_reader_tells_how_likely_a_trace_is(teacher: LanguageModel) -> None:
    judge = CheckedJudge(reader="embedded:teacher")
    assert judge.models["reader"].source == "embedded:teacher"
    exhibits = [Exhibit("a", "4 dog", "4 dog : 4 x 4 = 16 total 16 . #### 16"), Exhibit("b", "4 dog", "")]
    found = judge.judge(exhibits, Tools(models={"reader": lambda: teacher}))
    scale = judge.scales["surprise"]
    assert scale.low <= found[0].scores["surprise"] < scale.high
    assert "surprise" not in found[1].scores
    assert found[0].scores[AUDITABILITY] == 5


def test_a_reader_has_to_be_a_source() -> None:
    with pytest.raises(DistillgameError, match="judge 'checked': reader"):
        CheckedJudge(reader="init:8x2")


def test_real_solutions_score_by_how_much_arithmetic_they_are(
    gsm8k_answers: list[str], math_solutions: list[str]
) -> None:
    """Measured on 500 of each: 4.88 (GSM8K), and 3.29 (MATH), much of which is algebra."""
    words, algebra = (
        fmean(said.scores[AUDITABILITY] for said in judged(*random.Random(0).sample(texts, 200)))
        for texts in (gsm8k_answers, math_solutions)
    )
    assert words > 4.7
    assert 3 < algebra < 3.6
