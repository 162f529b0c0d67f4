"""The rows of students: what each made of a target, and how the strongest of them compare."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from distillgame.arena.config import GameConfig
from distillgame.arena.plan import PlannedStudent
from distillgame.arena.results.facts import FactReader
from distillgame.arena.results.scores import ScoreReader, Scores, differences
from distillgame.arena.stages import read_report
from distillgame.arena.store import Store
from distillgame.records import ComparisonRow, StudentRow, ThreatModel
from distillgame.students import CUSTOM, Student, suite_of


def student_rows(
    played: Sequence[PlannedStudent],
    config: GameConfig,
    store: Store,
    reader: ScoreReader,
    facts: FactReader | None = None,
) -> list[StudentRow]:
    """Return the rows of a round; attackers' p-values are corrected for how many of them were tried."""
    scores = {student.choice.label: reader.read(student.evaluations) for student in played}
    rows = []
    for control in (False, True):
        group = [student for student in played if student.control is control]
        over = {base: _over(group, scores, base) for base in ("passive", "untrained")}
        for student in group:
            label = student.choice.label
            gaps = {f"over_{base}": found.get(label) for base, found in over.items()}
            row = _row(student, scores[label], gaps, config, store)
            learnt = None if facts is None else facts.learnt(student, scores[label])
            rows.append(row.model_copy(update={"facts": learnt}))
    return rows


def compare(students: Sequence[PlannedStudent], reader: ScoreReader) -> list[ComparisonRow]:
    """Return the differences of the strongest students of all pairs of targets, by level, at the most queries."""
    most = max((student.queries for student in students), default=0)
    strongest = [student for student in students if student.strongest and student.queries == most]
    pairs = [(a, b) for a, b in combinations(strongest, 2) if a.level == b.level and a.target != b.target]
    found = differences([(reader.read(a.evaluations), reader.read(b.evaluations)) for a, b in pairs])
    return [
        ComparisonRow(
            first=a.target.label,
            second=b.target.label,
            first_student=a.choice.label,
            second_student=b.choice.label,
            level=a.level,
            queries=most,
            difference=difference,
        )
        for (a, b), difference in zip(pairs, found, strict=True)
    ]


def _over(group: Sequence[PlannedStudent], scores: dict[str, Scores], base: str) -> dict[str, Any]:
    """Return the paired differences to the student called ``base``, if it is played, by label."""
    if base not in scores:
        return {}
    others = [student.choice.label for student in group if student.choice.label != base]
    given_up = max((student.tried - len(group) for student in group if student.tried is not None), default=0)
    tried = len(others) + given_up
    return dict(zip(others, differences([(scores[label], scores[base]) for label in others], tried), strict=True))


def _row(planned: PlannedStudent, scores: Scores, gaps: dict[str, Any], config: GameConfig, store: Store) -> StudentRow:
    student = planned.choice.student
    return StudentRow(
        defense=planned.target.label,
        student=student.name,
        settings=dict(student.settings),
        suite=_suite(student, config),
        threat_model=_threat(planned, config),
        control=planned.control,
        strongest=planned.strongest,
        validation=planned.validation,
        tried=planned.tried,
        **gaps,
        **_training(planned, store),
        **scores.summary(planned.seeds),
    )


def _suite(student: Student, config: GameConfig) -> str:
    if config.evaluation.temperature > 0 or config.attacker.references is not None:
        return CUSTOM
    return suite_of(
        student.name,
        student.settings,
        config.student.source,
        config.training,
        config.attacker.objective,
        played=config.suite,
    )


def _threat(planned: PlannedStudent, config: GameConfig) -> ThreatModel:
    student = planned.choice.student
    needs = student.needs
    return ThreatModel(
        level=planned.level,
        sees="released log-probabilities" if needs.logprobs else "released text" if needs.traces else "nothing",
        base_model=config.student.source,
        queries=planned.queries if needs.traces else 0,
        objective=(student.objective or config.attacker.objective) if student.needs_objective else None,
        knows_proxy=needs.proxy,
        trains_on_references=needs.references,
    )


def _training(planned: PlannedStudent, store: Store) -> dict[str, float | None]:
    if not planned.trainings:
        return {"rho": None, "effective_share": None}
    reports = [read_report(store.folder(stage)) for stage in planned.trainings]
    return {
        "rho": float(np.mean([report.rho for report in reports])),
        "effective_share": float(np.mean([report.effective_share for report in reports])),
    }
