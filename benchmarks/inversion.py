"""The distance between students of inverted traces and a rule that restores the working: what is lost, and to what.

Run ``python benchmarks/inversion.py RUN FOLDER DEFENSE...``, where ``inverted: {draws: 8, k: 4}`` was played by
``distillgame play suite --out RUN`` against each DEFENSE, which is written as in a configuration, such as
"{poe: {gamma: 0.4}}". Passive students train on seven diets, each a list of traces; started again, an interrupted run
continues. It writes ``inversion.json``.

* *released whole*: the traces in which every step shows its working as they were released;
* *rule, all*: all traces, with the working that follows from a trace's own totals restored by a program;
* *rule, whole*: those of them in which every step shows its working then;
* *rule, kept*: those of the prompts whose expansions the inverted student keeps;
* *mended*: these expansions with true kinds, products, totals and answers; working that is not shown stays hidden;
* *inverted*, *spliced*: what the students of these names learn.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from distillgame.arena import load_config
from distillgame.arena.plan import DefenseTarget, GivenTarget, Planner
from distillgame.arena.play import play_rounds
from distillgame.arena.stages import TRACES, GivenStage, Stage
from distillgame.arena.store import write_text
from distillgame.errors import DistillgameError
from distillgame.models import load_without_weights, quiet
from distillgame.policies import Defense
from distillgame.records import ReleasedTrace, read_released, write_released
from distillgame.students import Desk, StudentChoice, Supplies
from distillgame.students.attackers.inverting import Inverted, Spliced
from distillgame.worlds.bestiary.creatures import creatures
from distillgame.worlds.bestiary.knowledge import STEP, BestiaryKnowledge

SEEDS = (0, 1, 2)
OPTIONS: dict[str, Any] = {"draws": 8, "k": 4}
KNOWLEDGE = BestiaryKnowledge()
CHANGES = {"suite": None, "students": ["passive"], "judge": [], "controls": False}


def restored(completion: str) -> str:
    """Return a completion with working and total in every step on a private creature whose legs follow from totals."""
    derived = {claim.fact: claim.value for claim in KNOWLEDGE.claims(completion) if not claim.stated}
    total: int | None = 0

    def written(step: re.Match[str]) -> str:
        nonlocal total
        name, product = step["name"], step["product"]
        if name is None or product is not None or name not in derived:
            known = total + int(product) if total is not None and product is not None else None
            total = int(step["total"]) if step["total"] is not None else known
            return step[0]
        count, legs = int(step["count"]), int(derived[name])
        total = int(step["total"]) if step["total"] is not None else None if total is None else total + count * legs
        shown = "" if total is None else f" total {total}"
        return f"{count} {name} : {count} x {legs} = {count * legs}{shown} ."

    return STEP.sub(written, completion)


def mended(completion: str) -> str:
    """Return a completion with true kinds and products where it shows working, and true totals and answer."""
    total = 0

    def written(step: re.Match[str]) -> str:
        nonlocal total
        if step["answer"] is not None:
            return f"#### {total}"
        name = step["name"]
        if name not in creatures():
            total = int(step["total"] or total)
            return step[0]
        count, creature = int(step["count"]), creatures()[name]
        total += count * creature.legs
        if step["product"] is None:
            return re.sub(r" total \d+", f" total {total}", step[0])
        kind = "" if creature.kind is None else f" {creature.kind} :"
        return f"{count} {name} :{kind} {count} x {creature.legs} = {count * creature.legs} total {total} ."

    return STEP.sub(written, completion)


def is_whole(completion: str) -> bool:
    """Return whether a completion has steps, and every one shows its working."""
    steps = [step for step in STEP.finditer(completion) if step["name"] is not None]
    return bool(steps) and all(step["product"] is not None for step in steps)


def text(trace: ReleasedTrace) -> str:
    return trace.messages[-1]["content"]


def edited(traces: Iterable[ReleasedTrace], edit: Callable[[str], str]) -> list[ReleasedTrace]:
    return [
        ReleasedTrace([*trace.messages[:-1], {"role": "assistant", "content": edit(text(trace))}], trace.finish_reason)
        for trace in traces
    ]


def diets(run: Path, defense: Defense, seed: int) -> dict[str, list[ReleasedTrace]]:
    """Return the diets of a seed, by name."""
    planner = Planner(load_config("suite"))
    stage = planner.distill(DefenseTarget.of(defense), StudentChoice(name="inverted", options=OPTIONS), seed)
    traces, written = read_stage(run, stage.traces), read_stage(run, stage.expansions)
    expansions = [written[place : place + OPTIONS["k"]] for place in range(0, len(written), OPTIONS["k"])]
    model = load_without_weights("embedded:bestiary-student")
    desk = Desk(model, Supplies(traces=traces, expansions=expansions), (), 256, 24, 1e-3, 1e-3)
    taken = Inverted(**OPTIONS).edited(desk)
    asked = {json.dumps(each.messages[:-1]) for each in taken}
    by_rule = edited(traces, restored)
    return {
        "released whole": [each for each in traces if is_whole(text(each))],
        "rule, all": by_rule,
        "rule, whole": [each for each in by_rule if is_whole(text(each))],
        "rule, kept": [each for each in by_rule if json.dumps(each.messages[:-1]) in asked],
        "mended": edited(taken, mended),
        "inverted": taken,
        "spliced": Spliced(**OPTIONS).edited(desk),
    }


def read_stage(run: Path, stage: Stage | None) -> list[ReleasedTrace]:
    """Return the traces of a finished stage of a run.

    Raises:
        DistillgameError: If the run has no such stage.
    """
    assert stage is not None
    found = list(run.glob(f"stages/*-{stage.key('cpu')[:12]}/{TRACES}"))
    if not found:
        raise DistillgameError(f"{run}: lacks '{stage.label}'; play {OPTIONS} of 'inverted' against it there first")
    return read_released(found[0])


def main(run: str, folder: str, *defenses: str) -> None:
    quiet()
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        game = load_config("suite", overrides=CHANGES | {"seeds": [seed]})
        fed, targets = [], []
        for number, given in enumerate(defenses):
            defense = Defense.model_validate(yaml.safe_load(given))
            for diet, traces in diets(Path(run), defense, seed).items():
                if not traces:
                    continue
                path = out / f"{number}-{diet.replace(', ', '-').replace(' ', '-')}-{seed}.parquet"
                write_released(path, traces)
                stated = len(KNOWLEDGE.released(map(text, traces)).stated)
                fed.append(
                    {"defense": defense.label, "diet": diet, "seed": seed, "texts": len(traces), "stated": stated}
                )
                targets.append(GivenTarget.of(GivenStage.of(path)))
        found = play_rounds(game, out, progress=True, targets=targets).students
        for row, student in zip(fed, found, strict=True):
            assert student.facts is not None
            rows.append(row | {"accuracy": student.accuracy, "facts": student.facts.forced.mean})
    write_text(out / "inversion.json", json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
