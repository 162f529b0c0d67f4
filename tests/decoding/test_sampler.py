import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from distillgame.decoding.drawing.sampler import accept, draw, draw_weighted, residual, truncate
from distillgame.decoding.drawing.streams import policy_keys, uniforms
from distillgame.policies import Distribution

PROBABILITIES = torch.tensor([[0.1, 0.4, 0.2, 0.25, 0.05]])


def kept(probabilities: torch.Tensor) -> list[int]:
    return probabilities[0].nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("top_p", "top_k", "expected"),
    [
        (1.0, 0, [0, 1, 2, 3, 4]),
        (0.39, 0, [1]),
        (0.41, 0, [1, 3]),
        (0.84, 0, [1, 2, 3]),
        (1e-9, 0, [1]),
        (1.0, 2, [1, 3]),
        (1.0, 99, [0, 1, 2, 3, 4]),
        (0.6, 2, [1]),  # after top-k the two hold .615 and .385
        (0.62, 2, [1, 3]),
    ],
)
def test_truncation_keeps_the_smallest_sufficient_set(top_p: float, top_k: int, expected: list[int]) -> None:
    assert kept(truncate(PROBABILITIES, top_p, top_k)) == expected


def test_truncation_leaves_kept_probabilities_alone() -> None:
    result = truncate(PROBABILITIES, 0.84)
    assert torch.equal(result[0, [1, 2, 3]], PROBABILITIES[0, [1, 2, 3]])


def test_draws_follow_the_distribution() -> None:
    """Chi-square at a false-alarm rate of 1e-6."""
    count = 200_000
    uniform = torch.from_numpy(np.random.default_rng(0).random(count))
    tokens = draw_weighted(PROBABILITIES.expand(count, -1), uniform)
    observed = torch.bincount(tokens, minlength=5).numpy()
    assert chisquare(observed, PROBABILITIES[0].double().numpy() * count, sum_check=False).pvalue > 1e-6


def test_draws_are_renormalised_after_truncation() -> None:
    count = 100_000
    uniform = torch.from_numpy(np.random.default_rng(1).random(count))
    observed = torch.bincount(
        draw_weighted(truncate(PROBABILITIES, 0.6).expand(count, -1), uniform), minlength=5
    ).numpy()
    assert observed[[0, 2, 4]].sum() == 0
    assert chisquare(observed[[1, 3]], np.array([0.4, 0.25]) / 0.65 * count).pvalue > 1e-6


def test_a_token_of_probability_zero_is_never_drawn_at_the_ends() -> None:
    weights = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    assert draw_weighted(weights, torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)).tolist() == [1, 1]


def test_rare_tokens_of_a_large_vocabulary_are_drawn_as_often_as_they_should() -> None:
    """100,000 tokens of 1e-6 and one of 0.9: in float32 the running sum would lose some."""
    probabilities = torch.full((1, 100_001), 1e-6)
    probabilities[0, 0] = 0.9
    count = 3000
    uniform = torch.from_numpy(np.random.default_rng(2).random(count))
    tokens = torch.cat([draw_weighted(probabilities.expand(100, -1), u) for u in uniform.reshape(-1, 100)])
    rare = int((tokens > 0).sum())
    assert abs(rare - 300) < 5 * np.sqrt(count * 0.1 * 0.9)
    assert len(set(tokens[tokens > 0].tolist())) > 0.98 * rare


def test_streams_are_keyed_by_seed_and_request_and_have_prefixes() -> None:
    assert np.array_equal(uniforms(1, "a", 5), uniforms(1, "a", 9)[:5])
    assert not np.array_equal(uniforms(1, "a", 5), uniforms(2, "a", 5))
    assert not np.array_equal(uniforms(1, "a", 5), uniforms(1, "b", 5))
    assert not np.array_equal(policy_keys(1, "a", 5), policy_keys(1, "b", 5))


@given(
    st.integers(0, 2**20), st.sampled_from([100, 700, 3000]), st.sampled_from([0.5, 3.0, 9.0]),
    st.sampled_from([1.0, 0.95, 0.5, 0.05]), st.sampled_from([0, 1, 40, 90, 1500]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_large_vocabularies_are_truncated_as_if_sorted(
    seed: int, size: int, spread: float, top_p: float, top_k: int
) -> None:
    """Against a plain sort, with the many ties that bfloat16 logits have."""
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(3, size, generator=generator) * spread).bfloat16().float()
    probabilities = torch.softmax(logits, -1)
    found = truncate(probabilities, top_p, top_k)
    for row, got in zip(probabilities, found, strict=True):
        order = sorted(range(size), key=lambda i: (-float(row[i]), i))
        order = order[:top_k] if top_k else order
        total = sum(float(row[i]) for i in order) if top_k and top_k < size else 1.0
        before = np.cumsum([0.0, *(float(row[i]) for i in order)])[:-1]
        expected = {i for i, mass in zip(order, before, strict=True) if mass < top_p * total or top_p == 1}
        # Where the mass before a token is the border to within rounding, the token may be in or out.
        on_border = bool((abs(before - top_p * total) < 1e-5).any())
        assert set(got.nonzero().flatten().tolist()) == expected or on_border


def test_a_residual_is_the_positive_part_and_never_empty() -> None:
    p, q = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]), torch.tensor([[0.2, 0.5, 0.3], [0.2, 0.3, 0.5]])
    assert torch.allclose(residual(p, q), torch.tensor([[0.3, 0.0, 0.0], [0.2, 0.3, 0.5]]))


def test_a_draft_is_accepted_with_the_ratio_of_probabilities() -> None:
    p, q = torch.tensor([0.1, 0.1, 0.9, 0.9]), torch.tensor([0.4, 0.4, 0.6, 0.6])
    uniform = torch.tensor([0.24, 0.26, 0.0, 1 - 2**-53], dtype=torch.float64)
    assert accept(p, q, uniform).tolist() == [True, False, True, True]


@pytest.mark.parametrize("size", [5, 256, 257, 3000])
def test_drawing_from_logits_is_drawing_from_their_probabilities(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    logits = 3 * torch.randn(400, size, generator=generator)
    uniform = torch.rand(400, dtype=torch.float64, generator=generator)
    distribution = Distribution(logits, 0.7)
    same = draw(distribution, uniform) == draw_weighted(torch.softmax(logits / 0.7, -1), uniform)
    assert same.float().mean() > 0.99  # where rounding moves a border across a number, the neighbour is drawn
