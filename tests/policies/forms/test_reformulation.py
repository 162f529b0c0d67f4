"""Reformulation by rules: self-talk goes, mathematics stays, and the answer is read back as it was."""

import time

import pytest

from distillgame.choices import NamedChoice
from distillgame.policies.forms import make_form
from distillgame.policies.forms.reformulation import without_self_talk
from distillgame.tasks import Notation, extract_answer
from distillgame.worlds.leg_counting import LegCounting

FORM = make_form(NamedChoice(name="reformulate"))

UNKNOWN = "Sorry, I could not say how many legs there are."


def released(text: str) -> str:
    return FORM.release(text, Notation())


THOUGHT = """Okay, so I need to find how many legs there are. Let me think step by step.

First, there are 4 cockroaches. Each has 6 legs, so 4*6 = 24.
Hmm, wait. Let me double check that. Yes, 4*6=24. That's right.
Then 3 dogs, 3*4 = 12. So the total is 24+12=36.

Wait, did I count all of them? Let me verify: 24+12 = 36. Good.

So the final answer is \\boxed{36}."""

REPORT = """The final answer is 36

First, there are 4 cockroaches. Each has 6 legs, so 4*6 = 24.
4*6=24.
Then 3 dogs, 3*4 = 12. So the total is 24+12=36.

24+12 = 36."""


def test_a_thought_becomes_a_report() -> None:
    assert released(THOUGHT) == REPORT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No apples are left.", "No apples are left."),
        ("Right triangles have one. Well-known facts.", "Right triangles have one. Well-known facts."),
        ("So, 3 boys remain. Now the girls.", "3 boys remain. Now the girls."),
        ("I think the sum is 7.", "The sum is 7."),
        ("Let x be a number. Let me call it y = 3.", "Let x be a number. Let me call it y = 3."),
        ("Is that right? Yes. Hmm... Okay.", ""),
        ("Actually, hold on, it's decreasing!", "It's decreasing!"),
        ("```python\n# wait, let me check\nprint(3)\n```", "```python\n# wait, let me check\nprint(3)\n```"),
        ("Ich rechne: 3 + 4 = 7. Also 7.", "Ich rechne: 3 + 4 = 7. Also 7."),
        ("", ""),
    ],
)
def test_self_talk_goes_and_everything_else_stays(text: str, expected: str) -> None:
    assert without_self_talk(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 + 4 = 7.\n#### 7", "The final answer is 7\n\n3 + 4 = 7."),
        ("3 + 4 = 7. So the answer is **7**.", "The final answer is 7\n\n3 + 4 = 7."),
        # A sentence that does more than conclude is a step.
        ("Hence its length is $\\boxed{7}$.", "The final answer is 7\n\nHence its length is $\\boxed{7}$."),
        (UNKNOWN, UNKNOWN),
        ("#### 7", "The final answer is 7"),
    ],
)
def test_the_conclusion_comes_first(text: str, expected: str) -> None:
    assert released(text) == expected


def test_an_answer_that_would_not_be_read_back_stays_where_it_was() -> None:
    text = "The answer is <<8=8>>8.\n#### 8"
    assert extract_answer(released(text)) == "8"
    assert released(text).endswith("#### 8")


def test_answers_of_real_solutions_survive(gsm8k_answers: list[str], math_solutions: list[str]) -> None:
    for texts in (gsm8k_answers[::5], math_solutions[::5]):
        assert all(extract_answer(released(text)) == extract_answer(text) for text in texts)
        moved = [released(text).startswith("The final answer is") for text in texts]
        assert sum(moved) / len(moved) > 0.99


@pytest.mark.parametrize(
    "text", ["wait, " * 20_000, "boxed" * 9_000 + "x", ". . . " * 9_000, "let me " * 20_000 + "5", "#### 3\n" * 5_000]
)
def test_odd_texts_take_no_longer_than_their_length(text: str) -> None:
    start = time.process_time()
    released(text)
    assert time.process_time() - start < 5


def test_the_embedded_notation_says_the_total_first() -> None:
    form = make_form(NamedChoice(name="reformulate"))
    text = "4 cockroach : 4 x 6 = 24 total 24 . so 3 dog : 3 x 4 = 12 total 36 . #### 36"
    said = form.release(text, LegCounting(1, 1))
    assert said == "total 36 . 4 cockroach : 4 x 6 = 24 . 3 dog : 3 x 4 = 12 . #### 36"
    assert form.release("#### 36", LegCounting(1, 1)) == "#### 36"
    assert form.release("4 cockroach total", LegCounting(1, 1)) == "4 cockroach total"
    assert isinstance(LegCounting(1, 1), Notation)
