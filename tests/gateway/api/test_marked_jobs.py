"""Jobs under a mark: their random streams, and which of them count as marked."""

from typing import Any

import pytest

from distillgame.gateway.api import ChatRequest, JobPlan, plan_jobs
from distillgame.gateway.backends import JobMark
from distillgame.gateway.config import load_serving

CONFIG = load_serving(overrides={"policies.wide": {"release": {"poe": {"gamma": 0.5}}, "temperature": [0, 2]}})
ANN, BOB = (JobMark("keyed", name * 32) for name in (b"a", b"b"))


def plan(mark: JobMark | None, policy: str = "wide", **fields: Any) -> JobPlan:
    asked = {"model": "m", "messages": [{"role": "user", "content": "4 dog"}], "seed": 3, **fields}
    return plan_jobs(ChatRequest.model_validate(asked), CONFIG.served(policy), CONFIG, b"secret", mark)


def test_draws_under_different_marks_share_no_randomness() -> None:
    streams = [plan(mark).jobs[0].stream for mark in (None, ANN, BOB)]
    assert len(set(streams)) == 3
    assert streams == [plan(mark).jobs[0].stream for mark in (None, ANN, BOB)]


def test_completions_carry_the_owners_mark() -> None:
    found = plan(ANN, n=3)
    assert found.marked
    assert [job.mark for job in found.jobs] == [ANN] * 3
    assert {job.sampled for job in found.jobs} == {("wide", "keyed")}
    assert not plan(None).marked


@pytest.mark.parametrize("temperature", [0, 0.001])
def test_greedy_completions_do_not_count_as_marked(temperature: float) -> None:
    assert not plan(ANN, temperature=temperature).marked
    assert plan(ANN, temperature=0.1).marked


def test_answers_are_not_marked() -> None:
    found = plan(ANN, "answer_only")
    assert not found.marked
    assert found.jobs[0].sampled == ("answer_only", None)


def test_a_job_does_not_show_its_key() -> None:
    assert "aaaa" not in repr(plan(ANN).jobs[0])
