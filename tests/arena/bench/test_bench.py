import json
from pathlib import Path
from typing import Any

import pytest
import torch

from distillgame.arena.bench import machine, pairs, run, settings
from distillgame.arena.bench.baseline import Baseline, _Mixture
from distillgame.arena.bench.cases import CASES
from distillgame.arena.bench.pairs import POLICIES, TEMPERATURE, embedded_pair
from distillgame.arena.bench.parts import Parts
from distillgame.arena.bench.run import Plan, bench
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import Experts

from .tiny import shrink


def test_the_baseline_mixes_what_both_models_say_of_each_row() -> None:
    """Against plain passes over every row alone, prompts of different lengths, two steps."""
    pair = embedded_pair("cpu")
    prompts = [pair.teacher.prompt_ids(r.messages) for r in pair.requests("poe", 3)]
    width = max(map(len, prompts)) + 1
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    mixture = _Mixture(POLICIES["poe"], [pair.proxy.model], mask)
    with torch.no_grad():
        for new in ([], [7, 8, 9]):
            if new:
                ids = torch.cat([ids, torch.tensor(new)[:, None]], -1)
                prompts = [[*p, token] for p, token in zip(prompts, new, strict=True)]
            scores = torch.stack([pair.teacher.model(torch.tensor([p])).logits[0, -1] for p in prompts])
            theirs = torch.stack([pair.proxy.model(torch.tensor([p])).logits[0, -1] for p in prompts])
            expected = POLICIES["poe"].logits(Experts(scores, TEMPERATURE, (theirs,)))
            assert torch.allclose(mixture(ids, scores), expected, atol=1e-3)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_baseline_runs_every_batch_until_its_longest_row_ends(policy: str) -> None:
    pair = embedded_pair("cpu")
    tokens = Baseline(pair, policy)._batch(pair.requests(policy, 3), [3, 9, 1])
    assert tokens.shape == (3, 9)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch.setattr)


def test_a_bench_writes_a_row_for_every_case(tiny: None, tmp_path: Path) -> None:
    plan = Plan(batches=(1, 2), repetitions=2, length=4, tail=(4, 2, 2), growth=((4096, 3),))
    result = bench(tmp_path / "bench", plan)
    assert json.loads((tmp_path / "bench" / "bench.json").read_text()) == result
    assert len(result["rows"]) == 2 * 2 * len(CASES)
    for row in result["rows"]:
        check_row(row)
    standard = [row for row in result["rows"] if row["policy"] == "standard" and row["engine"] == "distillgame"]
    assert all(row["time_cost"]["median"] == 1 for row in standard if not row["speculative"])
    text = (tmp_path / "bench" / "bench.md").read_text()
    assert "| 1 | ads low rank speculative |" in text
    assert "shaped 135M/16M" in text
    assert (tmp_path / "bench" / "bench.png").stat().st_size > 10_000


def test_networks_run_in_the_precision_that_is_faster_at_the_batch(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half precision alone at batch 1, float32 at batch 2 and wherever several tokens are verified."""
    made_up = {torch.float32: [4.0] * 9, torch.bfloat16: [3.0 * width for width in range(1, 10)]}

    def timed(model: LanguageModel, rows: int, speculative: bool) -> list[float]:
        costs = made_up[next(model.model.parameters()).dtype]
        return [cost * rows if rows > 1 and cost != 4.0 else cost for cost in costs[: 9 if speculative else 1]]

    monkeypatch.setattr(settings, "time_passes", timed)
    pair = pairs.ShapedPairs("135M", "16M", 4096, "cpu")
    rows = [row for batch in (1, 2) for row in settings.settings(pair, batch).passes]
    found = [(row["batch"], row["sampling"], row["teacher_precision"], row["proxy_precision"]) for row in rows]
    assert found == [
        (1, "plain", "bfloat16", "bfloat16"),
        (1, "speculative", "float32", "bfloat16"),
        (2, "all", "float32", "float32"),
    ]


def test_cases_are_repeated_less_where_time_is_short(tiny: None) -> None:
    plan = Plan(batches=(1,), repetitions=9, length=3, tail=(4, 2, 2), growth=(), seconds=0)
    told: list[str] = []
    run._one_batch(pairs.ShapedPairs("135M", "16M", 4096, "cpu"), 1, plan, 0.0, told.append)
    assert sum(text.startswith("shaped") and ", batch 1, poe, repetition" in text for text in told) == 2


def test_the_cpu_is_named_with_the_instructions_that_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPU_FACTS", facts)
    facts.write_text(
        "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx avx2 avx512f amx_bf16 amx_tile\n"
    )
    assert machine.cpu() == ("Some CPU @ 2 GHz", ["avx2", "avx512", "amx_bf16"])
    assert "of Some CPU @ 2 GHz (avx2, avx512, amx_bf16)" in machine.machine("cpu")
    facts.unlink()
    assert machine.cpu()[1] == []


def test_a_bench_that_was_killed_goes_on_with_the_part_it_was_at(tiny: None, tmp_path: Path) -> None:
    plan = Plan(batches=(1, 2), repetitions=1, length=3, tail=(4, 2, 2), growth=())

    def die(text: str) -> None:
        if text == "embedded, batch 2, passes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(tmp_path, plan, progress=die)
    done = json.loads((tmp_path / "bench.parts.json").read_text())["parts"]["embedded, batch 1"]["rows"]
    told: list[str] = []
    result = bench(tmp_path, plan, progress=told.append)
    assert told[0] == "embedded, batch 2, passes"
    assert result["rows"][: len(CASES)] == done
    assert not (tmp_path / "bench.parts.json").exists()


def test_parts_made_under_other_circumstances_or_cut_short_are_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "parts.json"
    assert Parts(path, {"machine": "a"}).get("x", lambda: 1) == 1
    assert Parts(path, {"machine": "a"}).get("x", lambda: 2) == 1
    assert Parts(path, {"machine": "b"}).get("x", lambda: 3) == 3
    path.write_text(path.read_text()[:-9])
    assert Parts(path, {"machine": "b"}).get("x", lambda: 4) == 4


def check_row(row: dict[str, Any]) -> None:
    assert row["policy"] in ("standard", "poe", "ads")
    assert row["engine"] in ("distillgame", "transformers")
    assert row["pair"] == "embedded" or row["pair"].startswith("shaped")
    for key in ("tokens_per_second", "time_cost"):
        assert 0 < row[key]["min"] <= row[key]["median"] <= row[key]["max"]
    evaluated = row["engine"] == "distillgame" and (row["policy"] != "standard" or row["speculative"])
    assert (row["acceptance"]["median"] is not None) == evaluated
    assert not evaluated or 0.5 < row["acceptance"]["median"] <= 1


def test_a_folder_that_cannot_be_written_to_is_named_before_anything_is_timed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DistillgameError, match="file/bench: cannot be written to"):
        bench(tmp_path / "file" / "bench")
