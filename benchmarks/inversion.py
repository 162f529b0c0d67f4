"""The distance between the inverted student and a rule that restores the working: what is lost, and to what.

Run ``python benchmarks/inversion.py RUN FOLDER LABEL...``, where RUN is a folder in which ``inverted`` was played in
the world of facts with three seeds, and LABEL the beginning of its traces' label, such as "sample poe gamma=0.4 of".
Passive students train on five diets; if it is interrupted, it goes on. It prints a Markdown table:

* *rule, all*: every trace with the working that follows from its own totals, restored by a program;
* *rule, whole*: those of them in which every step shows it then;
* *rule, kept*: the first, of the prompts whose expansions the inverted student kept;
* *mended*: those expansions, with the true kind and product wherever they show working;
* *inverted*: those expansions as they are.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from distillgame.arena import load_config
from distillgame.arena.plan import GivenTarget
from distillgame.arena.play import play_rounds
from distillgame.arena.stages import GivenStage
from distillgame.models import load_without_weights, quiet
from distillgame.records import ReleasedTrace, released_traces, write_released
from distillgame.students import Desk, Supplies
from distillgame.students.attackers.inverting import Inverted
from distillgame.worlds.bestiary.creatures import creatures
from distillgame.worlds.bestiary.knowledge import STEP, BestiaryKnowledge

SEEDS = (0, 1, 2)
DRAWS, K = 8, 4
KNOWLEDGE = BestiaryKnowledge()
CHANGES = {"suite": None, "students": ["passive"], "judge": [], "controls": False}


def restored(completion: str) -> str:
    """Return a completion in which every step whose legs follow from its totals shows its working and total."""
    derived = {claim.fact: claim.value for claim in KNOWLEDGE.claims(completion) if not claim.stated}
    total: int | None = 0

    def written(step: re.Match[str]) -> str:
        nonlocal total
        name = step["name"]
        if name is None or step["product"] is not None or name not in derived:
            product = step["product"]
            known = total + int(product) if total is not None and product is not None else None
            total = int(step["total"]) if step["total"] is not None else known
            return step[0]
        count, legs = int(step["count"]), int(derived[name])
        total = int(step["total"]) if step["total"] is not None else None if total is None else total + count * legs
        shown = "" if total is None else f" total {total}"
        return f"{count} {name} : {count} x {legs} = {count * legs}{shown} ."

    return STEP.sub(written, completion)


def is_whole(completion: str) -> bool:
    """Return whether every step of a completion shows its working."""
    return all(step["name"] is None or step["product"] is not None for step in STEP.finditer(completion))


def mended(completion: str) -> str:
    """Return a completion in which every stated number of legs is true, and products and totals follow from it."""
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


def edited(traces: Iterable[ReleasedTrace], edit: Callable[[str], str]) -> list[ReleasedTrace]:
    return [
        ReleasedTrace([*before, {"role": "assistant", "content": edit(last["content"])}], trace.finish_reason)
        for trace in traces
        for *before, last in [trace.messages]
    ]


def diets(run: Path, label: str, seed: int) -> dict[str, list[ReleasedTrace]]:
    """Return the diets of a seed."""
    folders = {json.loads(path.read_text())["label"]: path.parent for path in run.glob("stages/*/stage.json")}
    (name,) = [
        each
        for each in folders
        if each.startswith(f"expand {label}") and f"train seed={seed} by inverter" in each and f"draws={DRAWS} " in each
    ]
    source = name.removeprefix("expand ").partition(" by inverter")[0]
    traces = list(released_traces(folders[source] / "traces.parquet"))
    written = list(released_traces(folders[name] / "traces.parquet"))
    expansions = [written[place : place + K] for place in range(0, len(written), K)]
    desk = Desk(
        load_without_weights("embedded:bestiary-student"),
        Supplies(traces=traces, expansions=expansions),
        (), 256, 24, 1e-3, 1e-3,
    )  # fmt: skip
    taken = Inverted(DRAWS, K).edited(desk)
    asked = {json.dumps(each.messages[:-1]) for each in taken}
    kept = [trace for trace in traces if json.dumps(trace.messages[:-1]) in asked]
    return {
        "rule, all": edited(traces, restored),
        "rule, whole": [each for each in edited(traces, restored) if is_whole(each.messages[-1]["content"])],
        "rule, kept": edited(kept, restored),
        "mended": edited(taken, mended),
        "inverted": taken,
    }


def main(run: str, folder: str, *labels: str) -> None:
    quiet()
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, str], list[str]] = {}
    for seed in SEEDS:
        game = load_config("suite", overrides=CHANGES | {"seeds": [seed]})
        targets = []
        for number, label in enumerate(labels):
            for diet, traces in diets(Path(run), label, seed).items():
                path = out / f"{number}-{diet.replace(', ', '-')}-{seed}.parquet"
                write_released(path, traces)
                released = KNOWLEDGE.released(trace.messages[-1]["content"] for trace in traces)
                found.setdefault((label, diet), []).append(f"{len(traces)} | {len(released.stated)}")
                targets.append(GivenTarget.of(GivenStage.of(path)))
        rows = play_rounds(game, out, progress=True, targets=targets).students
        for cells, row in zip((cells for cells in found.values()), rows, strict=True):
            assert row.facts is not None
            cells[-1] += f" | {100 * row.accuracy:.1f} | {row.facts.forced.mean:.0f}"
    print("| traces | diet | seed | number | facts stated | accuracy | facts learnt, forced |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for (label, diet), cells in found.items():
        for seed, cell in zip(SEEDS, cells, strict=True):
            print(f"| {label} | {diet} | {seed} | {cell} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
