"""From finished stages to rows of results."""

import hashlib
import json
import platform
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from distillgame.arena.plan.lineup import Entry, Lineup, Round, Target, defenses_of
from distillgame.arena.plan.planner import STANDARD, Planner
from distillgame.arena.results.flags import raise_flags
from distillgame.arena.results.scores import Answers, differences
from distillgame.arena.run.store import Store
from distillgame.arena.stages import (
    COSTS,
    TRACES,
    FormStage,
    SampleStage,
    Stage,
    library_versions,
    read_report,
)
from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, make_policy
from distillgame.policies.forms import make_form
from distillgame.records import (
    ComparisonRow,
    MedianRange,
    Results,
    StudentRow,
    TeacherRow,
    ThreatModel,
    read_outcomes,
    read_traces,
)
from distillgame.stats import standard_error
from distillgame.students import CUSTOM, SUITES, Student, make_student, suite_of


class Collector:
    """Reads the results of a game out of a store.

    Args:
        planner: The game.
        store: Where its stages are.
        split: The split that is reported.
    """

    def __init__(self, planner: Planner, store: Store, split: str = "test"):
        self.planner, self.store, self.split = planner, store, split
        self.config = planner.config
        self._read: dict[Stage, Any] = {}

    def results(self, command: str, lineup: Lineup, rounds: Sequence[Round]) -> Results:
        """All rows, compared and flagged.

        Raises:
            DistillgameError: If a stage is missing or corrupt.
        """
        config = self.config
        defenses = defenses_of(rounds)
        costs = json.loads((self.store.folder(self.planner.cost()) / COSTS).read_text()) if defenses else {}
        results = Results(
            schema=2,
            command=command,
            versions={"python": platform.python_version(), **library_versions()},
            device=self.store.device,
            task=config.task.name,
            split=self.split,
            models={
                "teacher": config.teacher.source,
                "proxy": ", ".join(spec.source for spec in config.all_proxies.values()) or None,
                "student": config.student.source,
            },
            hashes=self._hashes(),
            suite=None if config.suite is None else SUITES[config.suite].label,
            teachers=self._teachers(defenses, costs),
            students=_distinct([row for played in rounds for row in self.students(lineup.entries(played))]),
            comparisons=self._comparisons([entry for played in rounds for entry in lineup.entries(played)]),
            flags=[],
            config=config.model_dump(mode="json"),
        )
        return results.model_copy(update={"flags": raise_flags(results, self.config)})

    def _teachers(self, defenses: Sequence[Defense], costs: dict[str, dict[str, float]]) -> list[TeacherRow]:
        """The rows of defenses; how far they are from the undefended teacher is corrected for their number."""
        answers = {defense.label: self._answers(self._released(defense)) for defense in defenses}
        others = [label for label in answers if label != STANDARD.label and STANDARD.label in answers]
        found = differences([(answers[label], answers[STANDARD.label]) for label in others])
        over = dict(zip(others, found, strict=True))
        rows = []
        for defense in defenses:
            # A summary is a second completion, whose time was not measured.
            cost = None if make_form(defense.form).needs_summary else costs.get(defense.without_form.label)
            rows.append(self.teacher(defense, cost).model_copy(update={"over_standard": over.get(defense.label)}))
        return rows

    def teacher(self, defense: NamedChoice, cost: dict[str, float] | None = None) -> TeacherRow:
        """The row of a defense."""
        seeds = self.config.seeds
        traces = [read_traces(self.store.folder(stage) / TRACES) for stage in self._released(defense)]
        answers = Answers(traces)
        kl = [[trace.kl for trace in seed] for seed in traces]
        measured = None if any(value is None for seed in kl for value in seed) else np.array(kl, dtype=float)
        every = [trace for seed in traces for trace in seed]
        made = make_policy(defense.name, defense.options)
        return TeacherRow(
            defense=defense.label,
            policy=made.name,
            strength=dict(made.parameters),
            proxies=dict(made.proxy_weights) if made.uses_proxies else {},
            combine=made.combine if len(made.proxies) > 1 else None,
            form=defense.form.label if isinstance(defense, Defense) else "full",
            control=made.control,
            over_standard=None,
            kl_per_trace=None if measured is None else float(measured.mean()),
            kl_standard_error=None if measured is None else standard_error(measured),
            time_cost=None if cost is None else cost["median"],
            time_cost_range=None if cost is None else MedianRange(**cost),
            mean_tokens=float(np.mean([trace.sampled_tokens for trace in every])),
            released_characters=float(np.mean([len(trace.completion) for trace in every])),
            **answers.summary(seeds),
        )

    def students(self, entries: Sequence[Entry]) -> list[StudentRow]:
        """The rows of a round; attackers' p-values are corrected for how many of them were tried."""
        answers = {entry.student.label: self.answers(entry) for entry in entries}
        rows = []
        for control in (False, True):
            group = [entry for entry in entries if entry.control is control]
            rows += self._rows(group, answers)
        return rows

    def answers(self, entry: Entry) -> Answers:
        """What a student answered with each of its seeds, having learnt from a defense's traces."""
        return self.evaluated(entry.target, entry.student, entry.seeds, entry.queries)

    def evaluated(
        self, target: Target | NamedChoice, student: NamedChoice, seeds: Sequence[int], queries: int | None = None
    ) -> Answers:
        """The same of any student, in a lineup or not."""
        return self._answers([self.planner.evaluate(target, student, self.split, seed, queries) for seed in seeds])

    def _rows(self, entries: Sequence[Entry], answers: dict[str, Answers]) -> list[StudentRow]:
        over: dict[str, dict[str, Any]] = {}
        for base in ("passive", "untrained"):
            if base in answers:
                others = [entry.student.label for entry in entries if entry.student.label != base]
                found = differences([(answers[label], answers[base]) for label in others])
                over[base] = dict(zip(others, found, strict=True))
        rows = []
        for entry in entries:
            made = make_student(entry.student.name, entry.student.options)
            label = entry.student.label
            rows.append(
                StudentRow(
                    defense=_name(entry.target),
                    student=made.name,
                    settings=dict(made.settings),
                    suite=self._suite(made),
                    threat_model=self._threat(entry),
                    control=entry.control,
                    strongest=entry.strongest,
                    validation=entry.validation,
                    over_passive=over.get("passive", {}).get(label),
                    over_untrained=over.get("untrained", {}).get(label),
                    **self._training(entry),
                    **answers[label].summary(entry.seeds),
                )
            )
        return rows

    def _suite(self, student: Student) -> str:
        config = self.config
        if config.evaluation.temperature > 0 or config.attacker.references is not None:
            return CUSTOM
        return suite_of(
            student.name, student.settings, config.student.source, config.training, config.attacker.objective
        )

    def _threat(self, entry: Entry) -> ThreatModel:
        made = make_student(entry.student.name, entry.student.options)
        needs, attacker = made.needs, self.config.attacker
        return ThreatModel(
            level=entry.level,
            sees="released log-probabilities" if needs.logprobs else "released text" if needs.traces else "nothing",
            base_model=self.config.student.source,
            queries=entry.queries if needs.traces else 0,
            objective=(made.objective or attacker.objective) if made.needs_objective else None,
            knows_proxy=needs.proxy,
            trains_on_references=needs.references,
        )

    def _training(self, entry: Entry) -> dict[str, float | None]:
        if not make_student(entry.student.name, entry.student.options).trains:
            return {"rho": None, "effective_share": None}
        stages = [self.planner.distill(entry.target, entry.student, seed, entry.queries) for seed in entry.seeds]
        reports = [read_report(self.store.folder(stage)) for stage in stages]
        return {key: float(np.mean([report[key] for report in reports])) for key in ("rho", "effective_share")}

    def _released(self, defense: NamedChoice) -> list[SampleStage | FormStage]:
        return [self.planner.release(defense, self.split, seed) for seed in self.config.seeds]

    def _comparisons(self, entries: Sequence[Entry]) -> list[ComparisonRow]:
        """The strongest students of all pairs of defenses, by level, at the most queries."""
        most = max((entry.queries for entry in entries), default=0)
        strongest = [entry for entry in entries if entry.strongest and entry.queries == most]
        pairs = [(a, b) for a, b in combinations(strongest, 2) if a.level == b.level and a.target != b.target]
        found = differences([(self.answers(a), self.answers(b)) for a, b in pairs])
        return [
            ComparisonRow(
                first=_name(a.target),
                second=_name(b.target),
                first_student=a.student.label,
                second_student=b.student.label,
                level=a.level,
                queries=most,
                difference=difference,
            )
            for (a, b), difference in zip(pairs, found, strict=True)
        ]

    def _hashes(self) -> dict[str, str]:
        config, planner = self.config, self.planner
        models = {"teacher": planner.model("teacher"), "student": planner.model("student")}
        models |= {name: planner.proxy(name) for name in config.all_proxies}
        text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
        return {
            **{name: model.hash for name, model in models.items()},
            "problems": planner.problems(self.split).digest,
            "config": hashlib.sha256(text.encode()).hexdigest(),
        }

    def _answers(self, stages: Sequence[Stage]) -> Answers:
        for stage in stages:
            if stage not in self._read:
                self._read[stage] = read_outcomes(self.store.folder(stage) / TRACES)
        outcomes = [self._read[stage] for stage in stages]
        asked = [[outcome.problem_id for outcome in seed] for seed in outcomes]
        if any(ids != asked[0] for ids in asked):
            raise DistillgameError(f"stage '{stages[0].label}': seeds answered different problems")
        return Answers(outcomes)


def _distinct(rows: Sequence[StudentRow]) -> list[StudentRow]:
    """Without the repetitions of controls that ask for nothing, which every number of queries has."""
    known: set[tuple[str, str, int]] = set()
    kept = []
    for row in rows:
        key = (row.defense, row.label, row.threat_model.queries)
        if row.threat_model.queries or key not in known:
            kept.append(row)
        known.add(key)
    return kept


def _name(target: Target) -> str:
    return target.label if isinstance(target, Defense) else target.defense
