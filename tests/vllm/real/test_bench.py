"""The bench of vLLM with real engines: vLLM as it is, and the plugin beside it."""

from distillgame.arena.bench.through_vllm import SAMPLED, FolderPair, VllmPlan, timed
from distillgame.models import locate

from .conftest import PROXIES, TEACHER


def test_all_cases_are_timed() -> None:
    pair = FolderPair("embedded", locate(TEACHER).name, locate(PROXIES["proxy"]).name, None)
    plan = VllmPlan(batches=(2,), repetitions=1, length=4)
    # Without a draft, weights are made up: they are as fast.
    rows = timed(pair, SAMPLED, 0.6, plan, "cpu", lambda _: None)
    assert [(row["engine"], row["policy"]) for row in rows] == [
        ("vllm", "standard"), ("defended", "standard"), ("defended", "poe"), ("defended", "equilibrium_gap"),
    ]  # fmt: skip
    assert all(row["tokens_per_second"] > 0 for row in rows)
    assert rows[0]["cost"] == 1
