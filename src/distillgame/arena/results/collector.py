"""From the finished stages of a plan to results."""

import hashlib
import json
import platform
from collections.abc import Sequence

from distillgame.arena.plan import GamePlan
from distillgame.arena.results.facts import FactReader
from distillgame.arena.results.flags import raise_flags
from distillgame.arena.results.legibility import read_legibility
from distillgame.arena.results.scores import ScoreReader
from distillgame.arena.results.student_rows import compare, student_rows
from distillgame.arena.results.teacher_rows import teacher_rows
from distillgame.arena.stages import COSTS, library_versions
from distillgame.arena.store import Store
from distillgame.records import Results, StudentRow
from distillgame.students import SUITES


def collect(plan: GamePlan, store: Store, command: str) -> Results:
    """Read a game's results: all rows, compared and flagged.

    Args:
        plan: The game.
        store: Where its stages are finished.
        command: The command line that played it.

    Raises:
        DistillgameError: If a stage is missing or corrupt.
    """
    config, reader, facts = plan.config, ScoreReader(store), FactReader(plan, store)
    costs = {} if plan.cost is None else json.loads((store.folder(plan.cost) / COSTS).read_text())
    results = Results(
        schema=2,
        command=command,
        versions={"python": platform.python_version(), **library_versions()},
        device=store.device,
        task=config.task.name,
        split=plan.split,
        models={
            "teacher": config.teacher.source,
            "proxy": ", ".join(spec.source for spec in config.all_proxies.values()) or None,
            "student": config.student.source,
        },
        hashes=_hashes(plan),
        suite=None if config.suite is None else SUITES[config.suite].label,
        teachers=teacher_rows(plan.teachers, config.seeds, store, reader, costs),
        students=_distinct(
            [row for played in plan.rounds for row in student_rows(played, config, store, reader, facts)]
        ),
        comparisons=compare(plan.students, reader),
        facts=facts.released(),
        legibility=read_legibility(plan, store),
        flags=[],
        config=config.model_dump(mode="json"),
    )
    return results.model_copy(update={"flags": raise_flags(results, config)})


def _hashes(plan: GamePlan) -> dict[str, str]:
    text = json.dumps(plan.config.model_dump(mode="json"), sort_keys=True)
    return {
        **{name: model.hash for name, model in plan.models.items()},
        "problems": plan.problems.digest,
        "config": hashlib.sha256(text.encode()).hexdigest(),
    }


def _distinct(rows: Sequence[StudentRow]) -> list[StudentRow]:
    """Leave out the repetitions of controls that ask for nothing, which every number of queries has."""
    known: set[tuple[str, str, int]] = set()
    kept = []
    for row in rows:
        key = (row.defense, row.label, row.threat_model.queries)
        if row.threat_model.queries or key not in known:
            kept.append(row)
        known.add(key)
    return kept
