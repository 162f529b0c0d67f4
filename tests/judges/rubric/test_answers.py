"""Answers: what counts, and the ways in which one does not."""

import pytest

from distillgame.judges.rubric.answers import Answer, Verdict, verdict

LEVELS = (3, 2, 1)
OBJECT = '{"reason": "clear", "level": 2}'


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"Here is my verdict:\n```json\n{OBJECT}\n```\nI hope it helps.",
        f"The set {{1, 2}} is fine. {OBJECT}",
        f"{OBJECT}\n{OBJECT}",
        '{"level": "2", "reason": " clear ", "confidence": 0.5}',
        'The text has {"x": 3} in it. {"reason": "clear", "level": 2}',
    ],
)
def test_an_object_counts_wherever_it_stands(text: str) -> None:
    assert verdict(Answer(text, "stop"), LEVELS) == Verdict(2, "clear")


@pytest.mark.parametrize(
    "text",
    [
        "Level 2.",
        "2",
        '{"reason": "clear", "level": 4}',
        '{"reason": "clear", "level": 0}',
        '{"reason": "clear", "level": 2.5}',
        '{"reason": "clear", "level": true}',
        '{"reason": "clear", "level": NaN}',
        '{"reason": "clear", "level": [2]}',
        '{"reason": "", "level": 2}',
        '{"level": 2}',
        '{"reason": "clear"}',
        '{"reason": "clear", "level": 2',
        '{"reason": "the text says so", "level": 3} {"reason": "clear", "level": 2}',
        "[" * 10_000 + "{" * 10_000,
    ],
)
def test_malformed_answers_are_not_scored(text: str) -> None:
    assert verdict(Answer(text, "stop"), LEVELS) == Verdict(failure="malformed")


@pytest.mark.parametrize(
    "text", ["", "  \n", "I'm sorry, but I can't help with that.", "I cannot judge this text.", "As an AI, I must not."]
)
def test_refusals_are_told_from_malformed_answers(text: str) -> None:
    assert verdict(Answer(text, "stop"), LEVELS) == Verdict(failure="refused")


def test_endings_go_before_texts() -> None:
    assert verdict(Answer(OBJECT, "truncated"), LEVELS) == Verdict(failure="truncated")
    assert verdict(Answer(OBJECT, "refused"), LEVELS) == Verdict(failure="refused")
