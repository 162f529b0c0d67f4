import itertools
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from distillgame.values import low_rank_pair, moved_copy
from distillgame.values.low_rank import RANKS, factorise
from tests.decoding.test_context import ARCHITECTURES

STEP = 3e-3


def random_direction(model: Any, rank: int | None = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    parts = {name: torch.randn_like(p) for name, p in model.named_parameters()}
    if rank is not None:
        for name, part in parts.items():
            if part.ndim == 2:
                parts[name] = torch.randn(part.shape[0], rank) @ torch.randn(rank, part.shape[1])
    norm = torch.sqrt(sum((p.square().sum() for p in parts.values()), torch.zeros(())))
    return {name: part / norm for name, part in parts.items()}


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        positions = torch.arange(ids.shape[1]).expand(ids.shape)
        result: torch.Tensor = model(ids, position_ids=positions).logits
    return result


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("rank", [None, 3])
def test_one_pass_reads_both_sides(kind: str, rank: int | None) -> None:
    """Any architecture: biases, tied and untied heads, norms of every kind, convolutions in place of matrices."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**ARCHITECTURES[kind])).float().eval()
    direction = random_direction(model, rank)
    ids = torch.randint(5, 100, (3, 7))
    pair = logits(low_rank_pair(model, direction, STEP, 1e-4), ids.repeat_interleave(2, 0))
    for side, sign in ((0, 1), (1, -1)):
        expected = logits(moved_copy(model, direction, sign * STEP), ids)
        moved = expected - logits(model, ids)
        error = (pair[side::2] - expected).norm() / moved.norm()
        assert float(error) < 0.02


def test_a_low_rank_keeps_the_promised_part_of_the_direction() -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING["llama"](**ARCHITECTURES["llama"])).float().eval()
    direction = random_direction(model, rank=4)
    for name, part in direction.items():
        direction[name] = part + 1e-4 * torch.randn_like(part)
    pair = low_rank_pair(model, direction, STEP, error=0.05)
    factors = {id(m.factors): m.factors for m in pair.modules() if hasattr(m, "factors")}
    assert all(f.left is not None and f.left.shape[1] <= 8 for f in factors.values())
    exact = low_rank_pair(model, direction, STEP, error=0.0)
    assert all(m.factors.left is None for m in exact.modules() if hasattr(m, "factors"))


def test_half_precision_copies_are_full_precision() -> None:
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING["llama"](**ARCHITECTURES["llama"])).bfloat16().eval()
    direction = random_direction(model)
    assert all(p.dtype == torch.float32 for p in moved_copy(model, direction, STEP).parameters())
    assert all(p.dtype == torch.float32 for p in low_rank_pair(model, direction, STEP, 0.01).parameters())
    assert all(p.dtype == torch.bfloat16 for p in model.parameters())


def test_ranks_drop_no_more_than_allowed_at_near_the_least_cost() -> None:
    """Against every combination of ranks of three matrices, a large one among them."""
    torch.manual_seed(0)
    shapes = [(600, 80), (80, 80), (40, 90)]
    matrices = {}
    for key, (m, n) in enumerate(shapes):
        values = 0.8 ** torch.arange(min(m, n)) * 3**key
        u, v = torch.linalg.qr(torch.randn(m, min(m, n)))[0], torch.linalg.qr(torch.randn(n, min(m, n)))[0]
        matrices[key] = (u * values) @ v.T
    spectra = [torch.linalg.svdvals(matrix).double().square() for matrix in matrices.values()]

    def options(key: int) -> list[tuple[int, float]]:
        (m, n), spectrum = shapes[key], spectra[key]
        ranks = [r for r in RANKS if r * (m + n) < m * n]
        return [*((r * (m + n), float(spectrum[r:].sum())) for r in ranks), (m * n, 0.0)]

    for tolerance in (3.0, 1.0, 0.1, 0.01):
        found = factorise(matrices, tolerance)
        dropped = cost = 0.0
        for key, factors in found.items():
            whole = factors.right if factors.left is None else factors.left @ factors.right
            dropped += float((matrices[key] - whole).double().square().sum())
            parts = (factors.right, factors.left)
            cost += sum(part.numel() for part in parts if part is not None)
        assert dropped <= tolerance**2 * 1.001
        combinations = itertools.product(*(options(key) for key in range(3)))
        least = min(sum(c for c, _ in each) for each in combinations if sum(d for _, d in each) <= tolerance**2)
        assert least <= cost <= 1.25 * least


def test_a_network_read_from_a_quantised_file_is_moved_too() -> None:
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING["llama"](**ARCHITECTURES["llama"])).eval()
    model.is_quantized = True  # as for GGUF files, whose weights are in fact plain numbers by then
    low_rank_pair(model, random_direction(model), STEP, 0.05)
