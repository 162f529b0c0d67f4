"""The ledger never believes an upstream: charges against what has left."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillgame.gateway.backends.bounds import TokenBounds
from distillgame.gateway.errors import ApiError
from distillgame.gateway.ledger import Charge

from .raw import ask, chunk, stream, usage

WORDS = ["four ", "dogs ", "have ", "sixteen ", "legs"]
BYTES = len("".join(WORDS))
LONGER = "step by step , " * 8

REPORTED = [
    (6, 6), (5, 5), (BYTES, BYTES), (6.0, 6), (5.5, 6), ("6", 6), ("6.0", 6), (64, 64),
    (-5, BYTES), (0, BYTES), (1, BYTES), (4, BYTES), (-0.5, BYTES), (0.5, BYTES), ("-5", BYTES), ("many", BYTES),
    ("", BYTES), ("nan", BYTES), (math.nan, BYTES), (math.inf, BYTES), (-math.inf, BYTES), (True, BYTES),
    (False, BYTES), (None, BYTES), ([6], BYTES), ({"n": 6}, BYTES), (65, BYTES), (10**30, BYTES), ("9" * 400, BYTES),
    (10**400, BYTES),
]  # fmt: skip


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize(("reported", "charged"), REPORTED)
def test_a_usage_counts_if_it_can_be_true(reported: Any, charged: int, pieces: int) -> None:
    answer = ask(stream(*map(chunk, WORDS), chunk(finish="stop"), usage(reported)), pieces=pieces)
    assert answer.text == "".join(WORDS)
    assert answer.charge == Charge(charged, None, None)


@pytest.mark.parametrize("last", [0, -5, 1, None])
def test_a_later_usage_does_not_refund(last: Any) -> None:
    told = [usage(6), *map(chunk, WORDS), chunk(finish="stop"), usage(last)]
    assert ask(stream(*told)).charge.tokens == 6


@pytest.mark.parametrize(("prompt", "counted"), [
    (11, 11), (11.0, 11), ("11", 11), (-5, 0), (None, 0), (math.nan, 0), (10**30, 0), (True, 0), ([], 0),
])  # fmt: skip
def test_prompts_are_counted_if_the_number_is_one(prompt: Any, counted: int) -> None:
    assert ask(stream(chunk("a", "stop"), usage(1, prompt))).pieces[-1].prompt_tokens == counted


@pytest.mark.parametrize("told", ["none", 5, [], {}, {"completion_tokens": {}}])
def test_a_usage_that_is_none_is_ignored(told: Any) -> None:
    assert ask(stream(chunk("a b", "stop", usage=told))).charge.tokens == 3


@pytest.mark.parametrize("length", [1, 5])
def test_a_length_that_is_ignored_is_charged_all_the_same(length: int) -> None:
    """At least a token for each word, although no more were requested."""
    answer = ask(stream(chunk(LONGER, "stop"), usage(1)), length)
    assert answer.charge.tokens == len(LONGER.split())


REASONING = [
    {"reasoning_content": LONGER}, {"reasoning": LONGER}, {"thinking": LONGER}, {"reasoning": {"text": LONGER}},
    {"reasoning_details": [{"type": "reasoning.text", "text": LONGER}]},
    {"reasoning": LONGER, "reasoning_content": LONGER, "reasoning_details": [{"text": LONGER}]},
    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": LONGER}]}]},
    {"content": [{"type": "reasoning", "text": LONGER}]},
]  # fmt: skip


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize("said", REASONING)
def test_reasoning_apart_is_charged_and_not_passed(said: dict[str, Any], pieces: int) -> None:
    thought = {"choices": [{"index": 0, "delta": said}]}
    words = len(LONGER.split())
    for told, charged in ((None, len(LONGER) + 1), (1, len(LONGER) + 1), (words + 1, words + 1)):
        answer = ask(stream(thought, chunk("4", "stop"), usage(told)), 1000, pieces)
        assert answer.text == "4"
        assert answer.charge.tokens == charged


def test_a_flood_is_cut() -> None:
    with pytest.raises(ApiError, match="more than was requested"):
        ask(stream(*[chunk("x" * 1000)] * 3, chunk(finish="stop")), 2)


@given(st.lists(st.tuples(st.text(), st.text())), st.integers(1, 50), st.integers(-5, 200) | st.none())
def test_bounds_hold(parts: list[tuple[str, str]], length: int, reported: int | None) -> None:
    bounds = TokenBounds(length)
    grown = [bounds.add(*part) for part in parts]
    texts = ["".join(texts) for texts in zip(*parts, strict=True)] or ["", ""]
    size = sum(len(text.encode()) for text in texts)
    assert min(grown, default=0) >= 0
    assert sum(grown) == bounds.most
    assert bounds.words == sum(math.ceil(len(word.encode()) / 64) for text in texts for word in text.split())
    assert bounds.least == max(bounds.words, sum(any(part) for part in parts)) <= bounds.most <= size
    assert bounds.least <= bounds.settled(reported) <= max(bounds.most, length)
    if reported is not None and bounds.least <= reported <= length:
        assert bounds.settled(reported) == reported


REPORT = {"tokens": 2, "kl": 0.5, "value": 0.25, "unvalued": 1}
WRONG = [
    {"tokens": -5}, {"tokens": 1.5}, {"tokens": True}, {"tokens": "2"}, {"tokens": None}, {"tokens": 10**30},
    {"kl": -1}, {"kl": math.inf}, {"kl": math.nan}, {"kl": "0"}, {"kl": True}, {"kl": 10**400},
    {"value": -0.1}, {"value": math.inf}, {"unvalued": -1}, {"unvalued": 0.5}, {"unvalued": None},
]  # fmt: skip


def test_reports_of_our_own_servers_are_read() -> None:
    assert Charge.from_report(REPORT) == Charge(2, 0.5, 0.25, 1)
    answer = ask(stream(chunk("a b", distillgame=REPORT), chunk(finish="stop")), measured=True)
    assert answer.charge == Charge(2, 0.5, 0.25, 1)


@pytest.mark.parametrize("wrong", WRONG)
def test_reports_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    assert Charge.from_report(REPORT | wrong) is None
    for text in ("a b", ""):
        with pytest.raises(ApiError) as found:
            ask(stream(chunk(text, distillgame=REPORT | wrong), chunk(finish="stop")), measured=True)
        assert found.value.code == "upstream_unmeasured"


@pytest.mark.parametrize("report", [None, {}, [], {"tokens": 1, "kl": 0.0, "value": 0.0}, {"tokens": 0}])
def test_reports_below_what_left_are_refused(report: Any) -> None:
    with pytest.raises(ApiError) as found:
        ask(stream(chunk("a b", distillgame=report), chunk(finish="stop")), measured=True)
    assert found.value.code == "upstream_unmeasured"
