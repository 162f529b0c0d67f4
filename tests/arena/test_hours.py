from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.config import GameConfig
from distillgame.arena.hours import Hours
from distillgame.arena.operations import operations
from distillgame.arena.plan import Lineup, Planner
from distillgame.arena.run.scheduler import in_order
from distillgame.arena.stages import DistillStage, SampleStage, Stage
from distillgame.models import count_parameters


def planned(name: str, **overrides: Any) -> tuple[list[Stage], GameConfig, dict[str, float | None]]:
    config = load_config(name, overrides={key.replace("__", "."): value for key, value in overrides.items()})
    specs = {"teacher": config.teacher, **config.all_proxies, "student": config.student}
    sizes = {role: count_parameters(spec) for role, spec in specs.items()}
    return in_order(Lineup(Planner(config, resolve=False)).expected()), config, sizes


def test_a_policys_hours_are_its_samplings_and_its_students() -> None:
    stages, config, sizes = planned("gsm8k")
    lines = Hours(stages, config, sizes).lines()
    found = next(line for line in lines if line.strip().startswith("poe")).split()[-3:]
    own = [s for s in stages if isinstance(s, SampleStage) and s.trained is None and s.defense == "poe gamma=0.65"]
    taught = [
        s
        for s in stages
        if isinstance(s, DistillStage) and s.traces is not None and s.traces.defense == "poe gamma=0.65"
    ]
    judged = [s for s in stages if isinstance(s, SampleStage) and s.trained in taught]
    hours = [sum(operations(s, config, sizes) for s in part) / 3.6e17 for part in (own, [*taught, *judged])]
    assert [float(cell) for cell in found] == pytest.approx([*hours, sum(hours)], rel=0.01)


def test_all_rows_of_students_and_the_rest_sum_to_the_whole() -> None:
    stages, config, sizes = planned("gsm8k", compute__gpu__price=2.0, compute__gpu__teraflops=200)
    lines = Hours(stages, config, sizes).lines()
    total = sum(operations(stage, config, sizes) for stage in stages) / 7.2e17
    last = lines[-1].split()
    assert (last[:2], last[-1]) == (["in", "all"], "dollars")
    assert float(last[2]) == pytest.approx(total, rel=0.01)
    assert float(last[3]) == pytest.approx(2 * total, rel=1e-3)
    policies = [float(line.split()[-3]) for line in lines[2:] if line and lines.index(line) < lines.index("")]
    rest = float(next(line for line in lines if "everything else" in line).split()[2])
    # Public solutions teach two controls that belong to no policy.
    free = sum(float(line.split()[-3]) for line in lines if line.strip().startswith("reference"))
    assert sum(policies) + rest + free == pytest.approx(total, rel=0.02)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({}, "at its last checkpoint of every 100 steps"),
        ({"training__checkpoint_every": 0}, "there is none: training.checkpoint_every"),
        ({"compute__store": "s3://bucket/run"}, "starts again, because its part lies on its node"),
    ],
)
def test_what_a_preemption_loses(overrides: dict[str, Any], words: str) -> None:
    stages, config, sizes = planned("gsm8k", **overrides)
    text = "\n".join(Hours(stages, config, sizes).preemption())
    assert words in text
    assert f"all {len(stages)} stages" in text
    assert "distill adaptive eta=0.5" in text
