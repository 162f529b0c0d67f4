"""Compare the ways to value a trace with what training on it turns out to be worth."""

import json
from pathlib import Path
from typing import Literal

from distillgame.arena.config import GameConfig
from distillgame.arena.plan import DefenseTarget, Planner
from distillgame.arena.precision import settled
from distillgame.arena.run import Run
from distillgame.arena.stages import AppraisalStage, SampleStage, Stage, ValueStage, read_appraisal, read_values
from distillgame.arena.store import write_text
from distillgame.errors import DistillgameError
from distillgame.policies import Defense
from distillgame.records import ConfidenceInterval
from distillgame.stats import rank_correlation
from distillgame.strict import Strict
from distillgame.students import VALUES, StudentChoice

TRUTH = "heldout"
"""The value with which the others are compared."""

Values = list[float | None]


class ValueRow(Strict):
    """One way to value the traces of a defense.

    Attributes:
        defense: The defense.
        side: ``attacker`` for a value at the student's base model, ``defender`` for one at the proxy.
        value: The name of the value; ``v_gap`` is the one that the engine measures and the ledger charges.
        correlation: Its rank correlation with ``heldout`` at the student's base model; None if one does not vary.
        interval: Its 95% interval.
        traces: Number of traces that have both.
    """

    defense: str
    side: Literal["attacker", "defender"]
    value: str
    correlation: float | None
    interval: ConfidenceInterval | None
    traces: int


def compare_values(config: GameConfig, out: Path, count: int, progress: bool = True) -> list[ValueRow]:
    """Return for every defense of a game how well each value ranks its traces; written to ``values.json``, too.

    Args:
        config: The game; its first seed is used.
        out: The run's folder.
        count: How many traces of each defense are valued.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If there is no proxy or no holdout, or an input is bad.
    """
    if not config.all_proxies or config.splits.get("holdout", 0) < 1:
        raise DistillgameError("values are compared at a 'proxy' and on a 'holdout': the configuration lacks one")
    if not 1 <= count <= config.splits["train"]:
        raise DistillgameError(f"--traces: {count} is not between 1 and splits.train ({config.splits['train']})")
    config = settled(config, out, progress)
    planner = Planner(config)
    stages = {defense.label: _stages(planner, defense, count) for defense in config.policies}
    with Run(out, config, progress) as run:
        run.compute([stage for each in stages.values() for stage in each], last=True)
        rows = [row for label, each in stages.items() for row in _rows(label, each, run)]
    write_text(out / "values.json", json.dumps([row.model_dump() for row in rows], indent=1) + "\n")
    return rows


def _stages(planner: Planner, defense: Defense, count: int) -> list[Stage]:
    target, seed = DefenseTarget.of(defense), planner.config.seeds[0]
    traces, objective = target.traces(planner, "train", seed), planner.references()
    training = planner.config.training
    proxy = planner.known_proxy(target)
    stages: list[Stage] = [
        AppraisalStage(
            traces=traces,
            count=count,
            base=planner.model("student"),
            reader=planner.distill(target, StudentChoice(name="passive"), seed),
            objective=objective,
            training=training,
            values=VALUES,
        ),
        AppraisalStage(
            traces=traces, count=count, base=proxy, objective=objective, training=training, values=("grad", "influence")
        ),
    ]
    if isinstance(traces, SampleStage):
        stages.append(ValueStage(traces=traces, proxy=proxy, count=count))
    return stages


def _rows(label: str, stages: list[Stage], run: Run) -> list[ValueRow]:
    attacker, defender, *engine = stages
    ours, theirs = (read_appraisal(run.folder(stage)) for stage in (attacker, defender))
    if engine:
        theirs["v_gap"] = read_values(run.folder(engine[0]))
    truth = ours.pop(TRUTH)
    return [
        *(_row(label, "attacker", name, values, truth) for name, values in ours.items()),
        *(_row(label, "defender", name, values, truth) for name, values in theirs.items()),
    ]


def _row(defense: str, side: Literal["attacker", "defender"], name: str, values: Values, truth: Values) -> ValueRow:
    pairs = [(x, y) for x, y in zip(values, truth, strict=True) if x is not None and y is not None]
    found = rank_correlation(pairs)
    return ValueRow(
        defense=defense,
        side=side,
        value=name,
        correlation=None if found is None else found.value,
        interval=None if found is None else ConfidenceInterval(low=found.low, high=found.high),
        traces=len(pairs),
    )
