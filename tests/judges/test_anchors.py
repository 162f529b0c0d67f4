import json
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import distillgame
from distillgame.judges import KINDS, Anchor, Exhibit, anchors_of, blinded, in_order
from distillgame.judges.harm import garbled, parts_of, planted, shuffled
from distillgame.tasks import Notation, Problem
from distillgame.tasks.grading import gold_answers
from distillgame.worlds.notation import Counting, Step, ask, solve

EXCERPT = Path(distillgame.__file__).parent / "configs" / "gsm8k_excerpt" / "train.jsonl"
LEGS = "4 cockroach : 4 x 6 = 24 total 24 . 3 dog : 3 x 4 = 12 total 36 . #### 36"
LINES = "Half of 36 is 36 / 2 = 18.\nWith 6 more it is 18 + 6 = 24.\n#### 24"
SENTENCES = "Mr. Lee has 3 cats. He buys 4 more, so he has 3 + 4 = 7 cats. Each costs $1,250.50. The answer is 7."
FORMULAS = r"""We have $\sqrt{4} = 2$. Then
\begin{align*}
x &= 3 + 4 \\
&= 7.
\end{align*}
Hence $2 \cdot 7 = 14$.
The answer is $\boxed{14}$."""
TEXTS = (LEGS, LINES, SENTENCES, FORMULAS)


class Sums(Counting):
    """The embedded worlds' notation."""

    def pools(self) -> dict[str, list[Problem]]:
        return {}


def legs(count: int) -> list[Problem]:
    rng = random.Random(0)
    problems = []
    for number in range(count):
        steps = [
            Step(rng.randint(2, 9), name, rng.randint(2, 8)) for name in ("dog", "spider", "crab")[: 2 + number % 2]
        ]
        problems.append(Problem(f"legs-{number}", ask(steps), solve(steps, "full", rng)))
    return problems


def excerpt() -> list[str]:
    rows = [json.loads(line) for line in EXCERPT.read_text(encoding="utf-8").splitlines()]
    return [re.sub("<<[^<>]*>>", "", row["answer"]) for row in rows]


def by_kind(anchors: list[Anchor], problem: str) -> dict[str, str]:
    return {anchor.kind: anchor.exhibit.text for anchor in anchors if anchor.problem_id == problem}


def test_parts_are_steps_and_an_ending() -> None:
    assert parts_of(LEGS).steps == (
        "4 cockroach : 4 x 6 = 24 total 24 .",
        "3 dog : 3 x 4 = 12 total 36 .",
    )
    assert parts_of(LEGS).ending == "#### 36"
    assert parts_of(LINES).steps == tuple(LINES.splitlines()[:2])
    assert [len(step.split()) for step in parts_of(SENTENCES).steps] == [5, 13, 3]
    assert parts_of(SENTENCES).ending == "The answer is 7."
    assert [step.count("\n") for step in parts_of(FORMULAS).steps] == [0, 3, 0]


@pytest.mark.parametrize("text", [*TEXTS, "", "#### 5", "one step", "a\n\nb\n", "\n#### 5\n", "1 . 2 . "])
def test_parts_add_up(text: str) -> None:
    assert parts_of(text).body + parts_of(text).ending == text


def test_a_box_is_part_of_the_ending() -> None:
    parts = parts_of("First $1 + 1 = 2$. So it is $\\boxed{2}$. We are done.")
    assert parts.steps == ("First $1 + 1 = 2$.",)
    assert parts.ending == "So it is $\\boxed{2}$. We are done."


@pytest.mark.parametrize("text", TEXTS)
def test_shuffled_steps_are_the_same_in_another_order(text: str) -> None:
    orders = set()
    for seed in range(30):
        found = shuffled(text, random.Random(seed))
        assert found is not None
        assert found != text
        assert Counter(parts_of(found).steps) == Counter(parts_of(text).steps)
        assert parts_of(found).ending == parts_of(text).ending
        orders.add(found)
    assert len(orders) == (1 if text in (LEGS, LINES) else 3)


def test_half_of_the_pairs_of_shuffled_steps_are_reversed() -> None:
    lines = [f"step {number}" for number in range(7)]
    for seed in range(50):
        found = shuffled("\n".join([*lines, "#### 1"]), random.Random(seed))
        assert found is not None
        order = [int(line.split()[1]) for line in found.splitlines()[:-1]]
        assert sum(order[i] > order[j] for j in range(7) for i in range(j)) >= 10.5


@pytest.mark.parametrize("text", TEXTS)
def test_one_number_is_planted_and_makes_a_calculation_false(text: str) -> None:
    for seed in range(30):
        found = planted(text, random.Random(seed))
        assert found is not None
        old, new = (re.split(r"(\d[\d,.]*)", each) for each in (text, found))
        (place,) = [place for place, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        assert old[place - 1].endswith("= ")
        assert len(old[place]) == len(new[place])
        assert parts_of(found).ending == parts_of(text).ending


def test_planted_results_are_false_in_real_solutions() -> None:
    """Every sum of plain numbers in GSM8K's solutions that was true is still, but for the one that was changed."""
    sums = re.compile(r"(?<![\d.*/+-])(\d+) ?([-+*]) ?(\d+) ?= ?\$?(\d+)(?![\d.,/%])")

    def false(text: str) -> int:
        calculate = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
        return sum(calculate[sign](int(a), int(b)) != int(c) for a, sign, b, c in sums.findall(text))

    more = 0
    for text in excerpt():
        found = planted(text, random.Random(0))
        assert found is not None
        assert found.splitlines()[-1] == text.splitlines()[-1]
        assert false(found) - false(text) in (0, 1)
        more += false(found) - false(text)
    assert more >= 10


def test_any_number_is_planted_where_nothing_is_calculated() -> None:
    found = planted("4 cockroach total 24 . 3 dog total 36 . #### 36", random.Random(0))
    assert found is not None
    assert found.endswith("#### 36")
    assert planted("It is green.\nSo it is a frog.\n#### 5", random.Random(0)) is None


@pytest.mark.parametrize(
    ("number", "shape"), [("1,250", r"1,\d{3}"), ("0.50", r"0\.\d\d"), ("9", "[6-8]"), ("0", "[1-3]")]
)
def test_planted_numbers_look_like_the_old(number: str, shape: str) -> None:
    for seed in range(30):
        found = planted(f"It costs 1 + 1 = {number} now.\n#### 5", random.Random(seed))
        assert found is not None
        new = found.removeprefix("It costs 1 + 1 = ").removesuffix(" now.\n#### 5")
        assert new != number
        assert re.fullmatch(shape, new)


@pytest.mark.parametrize("text", TEXTS)
def test_garbled_words_are_half_of_them(text: str) -> None:
    found = garbled(text, random.Random(1))
    assert found is not None
    assert parts_of(found).ending == parts_of(text).ending
    assert Counter(filter(str.isalnum, found)) == Counter(filter(str.isalnum, text))
    old, new = text.split(), found.split()
    assert len(old) == len(new)
    assert 0.2 * len(old) <= sum(a != b for a, b in zip(old, new, strict=True)) <= 0.55 * len(old)


def test_long_texts_are_harmed_in_linear_time() -> None:
    """Each of these takes minutes if a pattern backtracks over the whole text."""
    for text in ("1 " * 20000, "1+" * 20000, "1 a= " * 10000, "9" * 5000, "= 1 " * 5000, "$1 " * 10000):
        for harm in (planted, garbled):
            harm(text + "\n#### 5", random.Random(0))


def test_what_cannot_be_harmed_is_left_out() -> None:
    for harm in (shuffled, planted, garbled):
        assert harm("#### 5", random.Random(0)) is None
        assert harm("It is 5.", random.Random(0)) is None
    assert shuffled("4 dog : 4 x 4 = 16 total 16 . #### 16", random.Random(0)) is None
    assert shuffled("the same\nthe same\n#### 16", random.Random(0)) is None
    problems = [
        Problem("one", "4 dog", "4 dog : 4 x 4 = 16 total 16 . #### 16"),
        Problem("none", "4 dog", "#### 16"),
    ]
    anchors = anchors_of(problems, Sums(), seed=0, count=2)
    assert list(by_kind(anchors, "one")) == ["reference", "planted", "garbled", "answer_alone"]
    assert list(by_kind(anchors, "none")) == ["reference"]


def test_anchors_are_of_all_kinds_and_say_nothing_of_them() -> None:
    problems = legs(30)
    anchors = anchors_of(problems, Sums(), seed=0, count=12)
    assert len(anchors) == 12 * len(KINDS)
    assert len({anchor.exhibit.id for anchor in anchors}) == len(anchors)
    solutions = {problem.id: problem.solution for problem in problems}
    for anchor in anchors:
        assert anchor.kind not in anchor.exhibit.id
        assert gold_answers(anchor.exhibit.text) == gold_answers(solutions[anchor.problem_id])
    texts = by_kind(anchors, anchors[0].problem_id)
    assert texts["reference"] == solutions[anchors[0].problem_id]
    assert re.fullmatch(r"#### \d+", texts["answer_alone"])


def test_anchors_depend_on_their_problem_and_the_seed_alone() -> None:
    problems = legs(20)
    anchors = anchors_of(problems, Sums(), seed=3, count=8)
    assert anchors == anchors_of(problems[::-1], Sums(), seed=3, count=8)
    assert anchors == anchors_of(problems, Sums(), seed=3, count=20)[: len(anchors)]
    assert anchors != anchors_of(problems, Sums(), seed=4, count=8)


def test_the_answer_alone_is_in_the_tasks_words() -> None:
    anchors = anchors_of([Problem("a", "How many?", LINES)], Notation(), seed=0, count=5)
    assert by_kind(anchors, "a")["answer_alone"] == "The final answer is 24"


def test_real_solutions_give_all_anchors() -> None:
    problems = [Problem(str(number), "How many?", text) for number, text in enumerate(excerpt())]
    found = Counter(anchor.kind for anchor in anchors_of(problems, Notation(), 0, len(problems)))
    assert found["reference"] == found["planted"] == found["garbled"] == found["answer_alone"] == len(problems)
    assert found["shuffled"] >= 0.9 * len(problems)


def test_all_published_solutions_can_be_harmed(gsm8k_answers: list[str], math_solutions: list[str]) -> None:
    for text in (*gsm8k_answers[::20], *math_solutions[::20]):
        assert parts_of(text).body + parts_of(text).ending == text
        for harm in (shuffled, planted, garbled):
            found = harm(text, random.Random(0))
            assert found is None or (found != text and found.endswith(parts_of(text).ending))


def scores(rng: np.random.Generator, count: int, **means: float) -> dict[str, dict[str, float]]:
    return {kind: {str(p): mean + rng.normal() for p in range(count)} for kind, mean in means.items()}


def test_a_judge_that_tells_them_apart_has_them_in_order() -> None:
    means = {"reference": 4.5, "shuffled": 3, "planted": 3, "garbled": 1, "answer_alone": 2}
    table = scores(np.random.default_rng(0), 40, **means)
    table["planted"]["7"] = float("nan")
    found = in_order(table)
    assert all(pair.holds for pair in found)
    assert [pair.below for pair in found] == ["shuffled", "planted", "garbled", "answer_alone"]
    for pair in found:
        assert pair.shift is not None
        assert pair.shift.value == pytest.approx(4.5 - means[pair.below], abs=0.7)
        assert pair.shift.problems == (39 if pair.below == "planted" else 40)


def test_a_judge_that_overlooks_one_kind_does_not() -> None:
    means = {"reference": 4.0, "shuffled": 3, "planted": 4, "garbled": 1, "answer_alone": 2}
    found = in_order(scores(np.random.default_rng(0), 40, **means))
    assert [pair.below for pair in found if not pair.holds] == ["planted"]


def test_few_scores_show_no_order() -> None:
    found = in_order({"reference": dict.fromkeys("abcde", 5.0), "garbled": dict.fromkeys("abcde", 1.0)})
    assert [(pair.holds, pair.shift) for pair in found] == [(False, None)]
    (pair,) = in_order({"reference": dict.fromkeys("abcdef", 5.0), "garbled": dict.fromkeys("abcdef", 1.0)})
    assert pair.holds
    assert in_order({"reference": dict.fromkeys("abcdef", 5.0)}) == []
    assert in_order({}) == []


def test_a_blinded_batch_says_nothing_and_has_a_way_back() -> None:
    released = [Exhibit(f"poe-{number}", "q", f"t{number}") for number in range(50)]
    anchors = [Exhibit(f"anchor-{number}", "q", f"a{number}") for number in range(50)]
    batch = blinded(released, anchors, seed=1)
    texts = {exhibit.id: exhibit.text for exhibit in (*released, *anchors)}
    assert len(batch.exhibits) == 100
    for exhibit in batch.exhibits:
        assert re.fullmatch("[a-p]{16}", exhibit.id)
        assert texts[batch.originals[exhibit.id]] == exhibit.text
    order = [batch.originals[exhibit.id].startswith("anchor") for exhibit in batch.exhibits]
    assert 15 <= sum(order[:50]) <= 35  # four deviations
    again = blinded(anchors, released, seed=1)
    assert again.exhibits == batch.exhibits
    assert not {exhibit.id for exhibit in blinded(released, seed=2).exhibits} & set(batch.originals)


def test_two_exhibits_of_one_id_cannot_be_blinded() -> None:
    with pytest.raises(ValueError, match="ids of their own"):
        blinded([Exhibit("a", "q", "t")], [Exhibit("a", "q", "u")], seed=0)
