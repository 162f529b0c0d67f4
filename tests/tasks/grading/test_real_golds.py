"""Every gold solution of the real benchmarks must grade itself right, and other problems' answers wrong."""

import random
import re
from collections.abc import Iterator
from itertools import chain, pairwise

import pytest

from distillgame.tasks import grade
from distillgame.tasks.grading import symbolic
from distillgame.tasks.grading.extraction import gold_answers
from distillgame.tasks.grading.nodes import Amount, Expression, Many, Matrix, Node, Ordered, Relation, Union
from distillgame.tasks.grading.structure import read

WRAPPINGS = [
    "{}",
    "The answer is {}.",
    "The answer is {}",
    "#### {}",
    "We guess \\boxed{{12345}} first.\n\nThe final answer is ${}$",
    "**Final Answer:** \\({}\\)",
    "**Answer**\n\n{}",
    "Thus it is\n\\[\n\\boxed{{{}}}\n\\]\nas desired; the answer is positive.",
]

NUMBERS = [*WRAPPINGS, "She has {}", "so {} dollars", "It costs ${}.00 in all."]

EQUAL = {("30", r"30^\circ")}
"""Neighbours in the shuffle whose answers are written differently and are equal by our rules."""


def _share(solutions: list[str], wrapping: str, wrappings: list[str]) -> list[str]:
    """The solutions whose turn it is to wear ``wrapping``: every gold is graded in one of them."""
    return solutions[wrappings.index(wrapping) :: len(wrappings)]


def _wrong(completions: list[str], solutions: list[str]) -> list[tuple[str, str]]:
    pairs = zip(completions, solutions, strict=True)
    return [(completion, solution) for completion, solution in pairs if not grade(completion, solution).correct]


def _shuffled_pairs(solutions: list[str]) -> Iterator[tuple[str, str]]:
    order = solutions.copy()
    random.Random(0).shuffle(order)
    yield from pairwise(order[:1500])


def test_gsm8k_grades_itself(gsm8k_answers: list[str]) -> None:
    assert not _wrong(gsm8k_answers, gsm8k_answers)


@pytest.mark.parametrize("wrapping", NUMBERS)
def test_gsm8k_grades_its_answers_in_other_clothes(wrapping: str, gsm8k_answers: list[str]) -> None:
    share = _share(gsm8k_answers, wrapping, NUMBERS)
    assert not _wrong([wrapping.format(gold_answers(text)[0]) for text in share], share)


def test_gsm8k_answers_of_other_problems_are_wrong(gsm8k_answers: list[str]) -> None:
    for one, other in _shuffled_pairs(gsm8k_answers):
        numbers = [int(text.rpartition("####")[2].replace(",", "")) for text in (one, other)]
        assert grade(other, one).correct == (numbers[0] == numbers[1])


def test_math_grades_itself(math_solutions: list[str]) -> None:
    assert not _wrong(math_solutions, math_solutions)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_math_grades_its_answers_in_other_clothes(wrapping: str, math_solutions: list[str]) -> None:
    share = _share(math_solutions, wrapping, WRAPPINGS)
    golds = [" ".join(gold_answers(text)[0].split()) for text in share]
    assert not _wrong([wrapping.format(gold) for gold in golds], share)


def test_math_answers_of_other_problems_are_wrong(math_solutions: list[str]) -> None:
    for one, other in _shuffled_pairs(math_solutions):
        golds = gold_answers(one)[0], gold_answers(other)[0]
        same = read(golds[0]).text.replace(" ", "") == read(golds[1]).text.replace(" ", "")
        assert grade(other, one).correct == (same or golds in EQUAL), golds


def test_math_answers_with_a_changed_digit_are_wrong(math_solutions: list[str]) -> None:
    chance = random.Random(0)
    for solution in chance.sample(math_solutions, 800):
        gold = gold_answers(solution)[0]
        digit = re.search(r"[0-9]", gold)
        if digit:
            other = str((int(digit[0]) + chance.randrange(1, 10)) % 10)
            changed = gold[: digit.start()] + other + gold[digit.end() :]
            assert not grade(rf"\boxed{{{changed}}}", solution).correct, (gold, changed)


def _parts(node: Node) -> Iterator[str]:
    """The numbers and expressions of which an answer consists, in LaTeX."""
    match node:
        case Expression():
            yield node.text
        case Amount():
            yield rf"\frac{{{node.quantity.value.numerator}}}{{{node.quantity.value.denominator}}}"
        case Many() | Ordered():
            yield from chain(*map(_parts, node.items))
        case Union():
            yield from chain(*map(_parts, node.pieces))
        case Matrix():
            yield from chain(*map(_parts, chain(*node.rows)))
        case Relation():
            yield from chain(*map(_parts, node.sides))


def test_every_part_of_a_math_answer_equals_itself_by_computer_algebra(math_solutions: list[str]) -> None:
    parts = sorted({part for text in math_solutions for part in _parts(read(gold_answers(text)[0]))})[::3]
    assert len(parts) > 500
    assert not [part for part in parts if not symbolic.equal(part, part)]
