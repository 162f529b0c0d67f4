import numpy as np
import pytest
import torch
from scipy.stats import kstest

from distillgame.policies.seeds import ContextSeeds, Marking, context_seed, owner_key, uniform_numbers

KEY = owner_key(b"secret", "alice")


def split_mix(seed: int, count: int) -> int:
    """The ``count``-th output of SplitMix64, in Python's integers, as its authors publish it."""
    mask = 2**64 - 1
    state = (seed + (count + 1) * 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


def test_numbers_are_those_of_the_published_generator() -> None:
    seeds = [0, 1, -1, 2**63 - 1, -(2**63), 123456789]
    numbers = uniform_numbers(torch.tensor(seeds), torch.tensor([0, 1, 7, 150_000]))
    for seed, row in zip(seeds, numbers.tolist(), strict=True):
        assert row == [((split_mix(seed, token) >> 12) + 0.5) / 2**52 for token in (0, 1, 7, 150_000)]
    assert 0 < numbers.min() < numbers.max() < 1


def test_numbers_are_uniform_over_contexts_and_over_tokens() -> None:
    """At a false-alarm rate of 1e-6 each."""
    seeds = torch.tensor([context_seed(KEY, (i,)) for i in range(4000)])
    assert kstest(uniform_numbers(seeds, torch.tensor([5]))[:, 0].numpy(), "uniform").pvalue > 1e-6
    row = uniform_numbers(seeds[:1], torch.arange(4000))[0].numpy()
    assert kstest(row, "uniform").pvalue > 1e-6
    beside = uniform_numbers(seeds, torch.tensor([5, 6])).numpy()
    assert abs(np.corrcoef(beside.T)[0, 1]) < 5 / np.sqrt(4000)


def test_a_key_depends_on_owner_and_epoch_and_shows_neither() -> None:
    keys = {owner_key(b"secret", owner, epoch) for owner in ("alice", "bob", "") for epoch in (0, 1)}
    keys |= {owner_key(b"other", "alice"), owner_key(b"secret", 'alice", 0', 0)}
    assert len(keys) == 8
    assert all(len(key) == 32 for key in keys)
    assert b"alice" not in KEY


def test_a_seed_depends_on_the_last_tokens_alone() -> None:
    marking = Marking(KEY, width=2)
    whole = ContextSeeds(marking, ()).at(0, [9, 9, 1, 2])
    assert ContextSeeds(marking, ()).at(0, [1, 2]) == whole == (context_seed(KEY, (1, 2)), True)
    assert ContextSeeds(marking, ()).at(0, [2, 1])[0] != whole[0]
    assert ContextSeeds(marking, (), owner_key(b"secret", "bob")).at(0, [1, 2])[0] != whole[0]
    assert ContextSeeds(marking, (), salt=1).at(0, [1, 2])[0] != whole[0]
    assert ContextSeeds(Marking(KEY, width=0), ()).at(0, [1, 2])[0] == context_seed(KEY, ())


@pytest.mark.parametrize("once", [True, False])
def test_a_context_that_occurs_again_is_not_marked_twice(once: bool) -> None:
    seeds = ContextSeeds(Marking(KEY, width=1, once=once), ())
    text = [7, 8, 7, 8, 9]
    found = [seeds.at(i, text[: i + 1])[1] for i in range(5)]
    assert found == ([True, True, False, False, True] if once else [True] * 5)


def test_drafts_that_were_given_up_count_for_nothing() -> None:
    seeds = ContextSeeds(Marking(KEY, width=1, once=True), ())
    assert seeds.at(0, [1])[1]
    assert seeds.at(1, [1, 2])[1]
    assert not seeds.at(2, [1, 2, 1])[1]
    # The draft 2 was rejected: 1 follows itself, and 2 is new again.
    assert not seeds.at(1, [1, 1])[1]
    assert seeds.at(2, [1, 1, 2])[1]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_prompt_may_be_shorter_than_the_context(length: int) -> None:
    prompt = list(range(1, length + 1))
    assert ContextSeeds(Marking(KEY, width=4), ()).at(0, prompt) == (context_seed(KEY, prompt), True)


def test_a_context_that_the_prompt_quotes_is_not_marked() -> None:
    """A suspect that copies what it reads must not betray the key by it."""
    seeds = ContextSeeds(Marking(KEY, width=1, once=True), [7, 8, 9])
    assert [seeds.at(i, before)[1] for i, before in enumerate(([9], [7], [8], [5]))] == [True, False, False, True]
    again = ContextSeeds(Marking(KEY, width=1, once=False), [7, 8, 9])
    assert again.at(0, [8])[1]
