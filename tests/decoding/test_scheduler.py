from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from distillgame.decoding import Engine, SamplingParams
from distillgame.decoding.batching.scheduler import HEADROOM, Scheduler
from distillgame.models import LanguageModel
from distillgame.policies import make_policy
from tests.decoding.common import requests


@dataclass(eq=False)
class Stub:
    """As much of a sequence as the scheduler looks at."""

    handle: int
    teacher_ids: list[int] = field(default_factory=list)


@given(
    st.integers(1, 9),
    st.integers(200, 600),
    st.lists(st.integers(1, 150), min_size=1, max_size=30),
    st.lists(st.integers(0, 40), min_size=40, max_size=40),
)
def test_all_sequences_run_first_come_first_served_within_the_budget(
    batch_size: int, budget: int, lengths: list[int], growth: list[int]
) -> None:
    scheduler = Scheduler(batch_size, budget)
    sequences = [Stub(i, [0] * length) for i, length in enumerate(lengths)]
    scheduler.waiting.extend(sequences)  # type: ignore[arg-type]
    started: list[int] = []
    finished: set[int] = set()
    for _ in range(2000):
        admitted = scheduler.admit()
        assert [s.handle for s in admitted] == sorted(s.handle for s in admitted)
        started += [s.handle for s in admitted if s.handle not in started]
        evicted = scheduler.evict(1)
        assert len(scheduler.running) <= batch_size
        assert evicted == [] or min(s.handle for s in evicted) > max(s.handle for s in scheduler.running)
        longest = max((len(s.teacher_ids) for s in scheduler.running), default=0)
        assert len(scheduler.running) <= 1 or len(scheduler.running) * (longest + 1) <= budget
        for s in scheduler.running:
            s.teacher_ids.append(0)
        done = [s for s in scheduler.running if len(s.teacher_ids) >= lengths[s.handle] + growth[s.handle]]
        scheduler.drop(done)
        finished |= {s.handle for s in done}
        if len(finished) == len(sequences):
            break
    assert len(finished) == len(sequences)
    assert started == sorted(started)


def test_nothing_is_admitted_that_would_be_evicted_at_once() -> None:
    scheduler = Scheduler(8, 3 * (10 + HEADROOM))
    scheduler.waiting.extend(Stub(i, [0] * 10) for i in range(8))  # type: ignore[misc]
    assert len(scheduler.admit()) == 3
    assert scheduler.evict(HEADROOM) == []


def test_a_tight_token_budget_changes_time_but_not_traces(teacher: LanguageModel) -> None:
    """Sequences are sent back and start again from the tokens they have, in the forced answer too."""
    params = SamplingParams(temperature=1.0, max_new_tokens=40, forced_answer_tokens=3, ignore_end=True)
    free = Engine(teacher, make_policy("standard"))
    tight = Engine(teacher, make_policy("standard"), token_budget=200)
    expected = free.generate(requests(copies=3), params)
    got = tight.generate(requests(copies=3), params)
    assert [s.token_ids for s in got] == [s.token_ids for s in expected]
    assert [s.completion for s in got] == [s.completion for s in expected]
    assert tight.counters.prompt_passes > 3
