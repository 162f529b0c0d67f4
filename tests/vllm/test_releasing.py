"""Rows of many requests are released each under its own policy, and what is sampled is charged to its request."""

from typing import Any

import numpy as np
import pytest
import torch

from distillgame.decoding import DERIVATIVE_STEP
from distillgame.policies import Experts, PolicyChoice, ReleasePolicy, make_policy, release
from distillgame.vllm import DefenseSettings
from distillgame.vllm.releasing import Releaser
from distillgame.vllm.rows import NextRows, RequestRows, StepRows
from distillgame.vllm.vocabulary import Shared

VOCABULARY = 11
POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}), ("poe", {"gamma": 0.4}), ("poe", {"gamma": 0.4, "proxies": {"proxy": 1, "half": 3}}),
    ("equilibrium_gap", {"eta": 0.5, "kappa": 0.7}), ("temperature", {"temperature": 1.3}),
]  # fmt: skip


def releaser(shared: Shared | None = None) -> Releaser:
    strict = PolicyChoice(name="poe", options={"gamma": 1.0})
    settings = DefenseSettings(policy=strict, proxies={"proxy": "a", "half": "b"})
    return Releaser(settings, shared or sharing())


def sharing(**tables: dict[int, int]) -> Shared:
    """Each proxy's ids by the teacher's; those of a proxy that is not given are equal."""
    nothing: dict[str, torch.Tensor | None] = dict.fromkeys(("proxy", "half"))
    places = {name: torch.tensor([table.get(i, -1) for i in range(VOCABULARY)]) for name, table in tables.items()}
    return Shared(nothing | places, nothing)


def logits(rows: int, seed: int = 0) -> tuple[torch.Tensor, dict[str, list[torch.Tensor]]]:
    generator = torch.Generator().manual_seed(seed)
    tables = [torch.randn(rows, VOCABULARY, generator=generator) * 2 for _ in range(3)]
    return tables[0], {"proxy": [tables[1]], "half": [tables[2]]}


def expected(policy: ReleasePolicy, temperature: float, row: int, tables: Any) -> Any:
    teacher, networks = tables
    proxies = tuple(networks[name][0][row : row + 1] for name in policy.proxies)
    return release(policy, Experts(teacher[row : row + 1], temperature, proxies))


def test_rows_in_any_order_are_released_under_their_own_policy_and_temperature() -> None:
    policies = [make_policy(*policy) for policy in POLICIES]
    requests = [RequestRows(policies[i % 5], (0.0, 0.7, 1.0)[i % 3], count=1 + i % 4) for i in range(23)]
    tables = logits(sum(request.count for request in requests))
    model = releaser()
    model.rows.announce(StepRows(requests))
    found = model.release(*tables)
    row = 0
    for request in requests:
        for _ in range(request.count):
            result = expected(request.policy, request.temperature, row, tables)
            assert torch.equal(found[row], result.released.logits[0])
            row += 1
    assert row == len(found)


def test_a_policy_that_draws_gets_the_key_of_each_position() -> None:
    """Also where drafts are checked, and beside requests that have no keys."""
    policy, other = make_policy("permutation", {"lambda": 0.4}), make_policy("standard")
    teacher, networks = logits(6)
    networks = {name: [outputs[0], outputs[0] + 0.01 * teacher.roll(1, 1)] for name, outputs in networks.items()}
    keys = np.array([11, 12, 13, 14, 15])
    requests = [RequestRows(other, 1.0, 2), RequestRows(policy, 1.0, 3, keys=keys, position=1), RequestRows(other, 1.0)]
    model = releaser()
    model.rows.announce(StepRows(requests))
    found = model.release(teacher, networks)
    plus, minus = (torch.log_softmax(output[2:5], -1) for output in networks["proxy"])
    experts = Experts(
        teacher[2:5], 1.0, ((plus + minus) / 2,), ((plus - minus) / (2 * DERIVATIVE_STEP),), keys=(12, 13, 14)
    )
    assert torch.equal(found[2:5], release(policy, experts).released.logits)
    assert torch.equal(found[[0, 1, 5]], teacher[[0, 1, 5]])


def test_rows_that_nobody_announced_are_released_under_the_strictest_policy() -> None:
    """Those of a second call in one step, too: prompt log-probabilities, say."""
    tables, model = logits(4), releaser()
    model.rows.announce(StepRows([RequestRows(make_policy("standard"), 1.0) for _ in range(4)]))
    assert torch.equal(model.release(*tables), tables[0])
    assert torch.equal(model.release(*tables), tables[1]["proxy"][0])


def test_a_wrong_number_of_rows_stops_everything() -> None:
    rows = NextRows()
    rows.announce(StepRows([RequestRows(make_policy("standard"), 1.0)]))
    with pytest.raises(RuntimeError, match="2 rows of logits where 1 were announced"):
        rows.take(2)
    assert rows.take(2) is None


def test_tokens_that_the_proxies_do_not_share_keep_the_teachers_mass() -> None:
    """Three tokens of the teacher's are padding for a proxy with other ids."""
    shared = torch.arange(8)
    columns = torch.tensor([7, 6, 5, 4, 3, 2, 1, 0])
    model = releaser(sharing(proxy=dict(zip(shared.tolist(), columns.tolist(), strict=True))))
    teacher, networks = logits(3)
    policy = make_policy("poe", {"gamma": 0.4})
    model.rows.announce(StepRows([RequestRows(policy, 0.9) for _ in range(3)]))
    found = model.release(teacher, networks)
    other = release(policy, Experts(teacher, 0.9, (networks["proxy"][0][:, columns],)), shared)
    assert torch.equal(found, other.released.logits)
    ours, theirs = (torch.softmax(table / 0.9, -1)[:, 8:] for table in (found, teacher))
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_policy_acts_on_what_its_own_proxies_share() -> None:
    """As in our own engine: what the proxy of another tier lacks does not weaken it. Equal ids serve beside tables."""
    model = releaser(sharing(proxy={0: 4, 2: 9, 5: 1, 7: 0}))
    tables = logits(3)
    teacher, networks = tables
    both = make_policy("poe", {"gamma": 0.4, "proxies": {"proxy": 1, "half": 3}})
    policies = [make_policy("poe", {"gamma": 0.4, "proxies": ["half"]}), both, make_policy("poe", {"gamma": 0.4})]
    model.rows.announce(StepRows([RequestRows(policy, 0.9) for policy in policies]))
    found = model.release(*tables)
    assert torch.equal(found[0], expected(policies[0], 0.9, 0, tables).released.logits[0])
    shared, columns = torch.tensor([0, 2, 5, 7]), torch.tensor([4, 9, 1, 0])
    proxy, half = networks["proxy"][0][:, columns], networks["half"][0][:, shared]
    for row, experts in ((1, (proxy[1:2], half[1:2])), (2, (proxy[2:3],))):
        own = release(policies[row], Experts(teacher[row : row + 1], 0.9, experts), shared)
        assert torch.equal(found[row], own.released.logits[0])


def test_costs_are_charged_to_accounts_by_token() -> None:
    """A request that speculates has several rows; what was rejected, and tokens of unfinished prompts, cost nothing."""
    poe, standard = make_policy("poe", {"gamma": 0.4}), make_policy("standard")
    requests = [
        RequestRows(poe, 0.8, 3, "a", top=2), RequestRows(standard, 1.0), RequestRows(standard, 1.0, 1, "b"),
        RequestRows(poe, 0.8, 1, "partial"),
    ]  # fmt: skip
    tables, model = logits(6), releaser()
    model.rows.announce(StepRows(requests))
    model.release(*tables)
    tokens = torch.tensor([[4, 9, -1], [3, -1, -1], [5, -1, -1], [6, -1, -1]])
    model.costs.sampled(tokens, [False, False, False, True])
    found = model.costs.take(["a", "b", "partial", "unknown"])
    assert set(found) == {"a", "b"}
    assert [each.token for each in found["a"]] == [4, 9]
    for row, each in enumerate(found["a"]):
        result = expected(poe, 0.8, row, tables)
        token = torch.tensor([each.token])
        proxy = torch.log_softmax(tables[1]["proxy"][0][row] / 0.8, -1)[each.token]
        measures = [
            result.released.logprob(token),
            result.reference.logprob(token),
            proxy,
            result.kl,
            result.kl_reverse,
        ]
        assert each.measures == pytest.approx([float(value) for value in measures], abs=1e-5)
        best = result.released.logprobs[0].topk(2)
        assert list(each.top_ids) == best.indices.tolist()
        assert list(each.top_logprobs) == pytest.approx(best.values.tolist(), abs=1e-5)
    (charged,) = found["b"]
    assert charged.measures[3] == 0
    assert charged.top_ids == ()
    assert model.costs.take(["a", "b"]) == {}


def test_a_token_with_a_stand_in_costs_what_it_costs_the_teacher_and_has_no_value() -> None:
    """Greedy decoding takes it where it is the teacher's likeliest, whatever the proxies say."""
    shared, columns = torch.tensor([0, 2, 3, 5, 6, 8, 9]), torch.tensor([6, 4, 0, 1, 9, 3, 2])
    model = releaser(sharing(proxy=dict(zip(shared.tolist(), columns.tolist(), strict=True))))
    teacher, networks = logits(4)
    teacher[3, 4], teacher[2, 5] = 9.0, 9.0
    poe, drawn = make_policy("poe", {"gamma": 0.4}), RequestRows(make_policy("poe", {"gamma": 0.4}), 0.9, 2, "a")
    model.rows.announce(StepRows([drawn, RequestRows(poe, 0.0, 2)]))
    found = model.release(teacher, networks)
    model.costs.sampled(torch.tensor([[4, 8], [1, 1]]), [False, False])
    outside, inside = model.costs.take(["a"])["a"]
    reference = torch.log_softmax(teacher / 0.9, -1)
    assert outside.measures[:2] == pytest.approx([float(reference[0, 4])] * 2, abs=1e-5)
    assert np.isnan(outside.measures[2])
    theirs = torch.log_softmax(networks["proxy"][0][1, columns] / 0.9, -1)
    mixed = torch.log_softmax((0.6 * teacher[1, shared] + 0.4 * networks["proxy"][0][1, columns]) / 0.9, -1)
    mass = reference[1, shared].logsumexp(-1)
    assert inside.measures[:3] == pytest.approx(
        [float(mixed[5] + mass), float(reference[1, 8]), float(theirs[5])], abs=1e-5
    )
    choice = 0.6 * teacher[2, shared] + 0.4 * networks["proxy"][0][2, columns]
    assert found[2:].argmax(-1).tolist() == [int(shared[choice.argmax()]), 4]


def test_a_step_in_which_nobody_keeps_an_account_leaves_nothing_behind() -> None:
    model = releaser()
    model.rows.announce(StepRows([RequestRows(make_policy("standard"), 1.0)]))
    model.release(*logits(1))
    model.costs.sampled(torch.tensor([[1]]), [False])
    assert model.costs.take([""]) == {}
