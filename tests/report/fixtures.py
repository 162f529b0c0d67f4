"""A made-up game with realistic numbers: five defenses of the embedded world against a suite of students."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from distillgame.records import (
    AgreementRow,
    AnchorRow,
    ComparisonRow,
    ConfidenceInterval,
    Difference,
    FlagRow,
    JudgeRow,
    Legibility,
    LegibilityComparison,
    LegibilityRow,
    Level,
    LevelShare,
    MarkedStatement,
    MeanScore,
    MedianRange,
    Results,
    ScoreShift,
    StudentRow,
    TeacherRow,
    ThreatModel,
    ViewedJudgement,
    ViewedProblem,
    ViewedTrace,
)


@dataclass(frozen=True)
class Defense:
    """A defense and what comes of it: the teacher's accuracy, the passive student's, and the best adaptive one's."""

    policy: str
    strength: dict[str, float]
    teacher: float
    passive: float
    best: float
    kl: float = 0.0
    cost: float | None = 1.0
    control: bool = False
    proxies: dict[str, float] = field(default_factory=dict)
    form: str = "full"

    @property
    def key(self) -> str:
        words = [self.policy, *(f"{name}={value:g}" for name, value in self.strength.items())]
        return " ".join([*words, *([self.form] if self.form != "full" else [])])


@dataclass(frozen=True)
class Attack:
    """A student: how far it gets from the passive student's accuracy (0) to the best adaptive one's (1)."""

    name: str
    settings: dict[str, float]
    share: float
    level: Level = "text"
    objective: Literal["reference", "released", "clean"] | None = None
    control: bool = False
    fixed: float | None = None

    @property
    def label(self) -> str:
        return " ".join([self.name, *(f"{key}={value:g}" for key, value in self.settings.items())])


DEFENSES = [
    Defense("standard", {}, 0.940, 0.844, 0.849),
    Defense("temperature", {"temperature": 1.15}, 0.847, 0.837, 0.841, 1.10, 1.01),
    Defense("poe", {"gamma": 0.5}, 0.846, 0.499, 0.828, 1.30, 1.72, proxies={"proxy": 1.0}),
    Defense("ads", {"lambda": 0.2}, 0.839, 0.347, 0.776, 2.13, 2.29, proxies={"proxy": 1.0}),
    Defense("permutation", {"lambda": 0.7}, 0.852, 0.825, 0.826, 2.40, 2.65, control=True, proxies={"proxy": 1.0}),
]

SUITE = [
    Attack("passive", {}, 0.0),
    Attack("adaptive", {"eta": 1}, 0.72, objective="reference"),
    Attack("adaptive", {"eta": 2}, 0.91, objective="reference"),
    Attack("adaptive", {"eta": 4}, 1.0, objective="reference"),
    Attack("adaptive_once", {"eta": 16}, 0.64, objective="released"),
    Attack("filter", {"share": 0.25}, 0.83),
    Attack("verified", {}, 0.08),
    Attack("best_of_k", {"k": 4}, 0.55, objective="reference"),
    Attack("mixed", {"share": 0.1}, 0.95, "assisted"),
    Attack("proxy_aware", {"eta": 4}, 1.04, "informed", "reference"),
    Attack("untrained", {}, 0.0, control=True, fixed=0.310),
    Attack("reference", {}, 0.0, control=True, fixed=0.402),
    Attack("eta_zero", {}, -0.01, objective="reference", control=True),
    Attack("shuffled", {"eta": 4}, 0.03, objective="reference", control=True),
    Attack("oracle", {"eta": 4}, 1.02, objective="clean", control=True),
]

PLAIN = [
    Attack("untrained", {}, 0.0, control=True, fixed=0.310),
    Attack("passive", {}, 0.0),
    Attack("adaptive", {"eta": 4}, 1.0, objective="reference"),
]
"""What a game without a suite plays."""


def bounds(value: float, error: float) -> ConfidenceInterval:
    return ConfidenceInterval(low=value - 1.97 * error, high=value + 1.97 * error)


def difference(value: float, error: float, base: float | None = None) -> Difference:
    p_value = math.erfc(abs(value) / error / math.sqrt(2))
    return Difference(
        value=value, standard_error=error, interval=bounds(value, error), p_value=p_value, significant=p_value < 0.05,
        relative=value / base if base else None, relative_interval=bounds(value / base, error / base) if base else None,
    )  # fmt: skip


def game(
    defenses: Sequence[Defense] = tuple(DEFENSES),
    students: Sequence[Attack] = tuple(SUITE),
    queries: Sequence[int] = (1500,),
) -> Results:
    """A game; with several numbers of queries there is one row per student for each."""
    suite = "standard v1" if students != PLAIN else None
    rows = [
        _student(defense, attack, students, count, max(queries), suite)
        for defense in defenses
        for attack in students
        for count in (queries if attack.fixed is None else (0,))
    ]
    pairs = [(a, b) for i, a in enumerate(defenses) for b in defenses[i + 1 :]]
    comparisons = [
        ComparisonRow(
            first=a.key,
            second=b.key,
            first_student="adaptive eta=2",
            second_student="adaptive eta=2",
            level="text",
            queries=max(queries),
            difference=difference(a.best - b.best, 0.014),
        )
        for a, b in pairs
    ]
    flags = [
        FlagRow(flag="edge_of_suite", defense="ads lambda=0.2", student="adaptive eta=4",
                message="The strongest adaptive student has eta 4, the largest that was tried."),
        FlagRow(flag="custom_suite", defense=None, student=None, message="2 students have settings of their own."),
    ]  # fmt: skip
    return Results(
        schema=2,
        command="distillgame play suite --out runs/suite",
        versions={"python": "3.11.2", "distillgame": "0.1.0", "torch": "2.9.0", "transformers": "5.0.0"},
        device="cpu",
        task="leg_counting",
        split="test",
        models={"teacher": "embedded:teacher", "proxy": "embedded:proxy", "student": "embedded:student"},
        hashes={"problems": "5e1fa3c20b7d", "config": "91c0d6aa24ef", "teacher": "0f83b1c9d2aa"},
        suite=suite,
        teachers=[_teacher(defense, defenses[0]) for defense in defenses],
        students=rows,
        comparisons=comparisons if suite else [],
        flags=[flag for flag in flags if flag.defense in (None, *(d.key for d in defenses))] if suite else [],
        config={"task": "leg_counting", "seeds": [0, 1, 2], "sampling": {"temperature": 0.6}, "students": "standard"},
    )


def problems(defenses: Sequence[Defense] = tuple(DEFENSES)) -> list[ViewedProblem]:
    """Four problems of the embedded task, and what each defense released for them."""
    legs = {"cockroach": 6, "dog": 4, "spider": 8, "ant": 6, "crab": 10, "duck": 2}
    asked = [
        {"cockroach": 4, "dog": 3},
        {"spider": 2, "duck": 9, "ant": 5},
        {"crab": 7, "dog": 1},
        {"ant": 3, "spider": 6, "cockroach": 2, "duck": 8},
    ]
    found = []
    for i, herd in enumerate(asked):
        rng, answer = random.Random(i), sum(count * legs[animal] for animal, count in herd.items())
        traces = [_trace(defense, herd, legs, rng, wrong=defense.policy == "ads" and i == 2) for defense in defenses]
        reference = " ".join(_words(herd, legs, terse=False))
        question = " , ".join(f"{count} {animal}" for animal, count in herd.items())
        found.append(ViewedProblem(id=f"test/{i}", question=question, reference=reference, traces=traces))
        assert reference.endswith(f"#### {answer}")
    return found


def judged(results: Results, judge: str = "checked", reason: str = "because") -> Results:
    """The same game, judged: each defense a third of a level below the one before it."""

    def score(mean: float, reach: float = 0.1) -> MeanScore:
        return MeanScore(mean=mean, interval=ConfidenceInterval(low=mean - reach, high=mean + reach), n=200)

    def shift(value: float) -> ScoreShift:
        interval = ConfidenceInterval(low=value - 0.1, high=value + 0.1)
        return ScoreShift(value=value, interval=interval, p_value=0.001, significant=True, n=200)

    rows = []
    for i, teacher in enumerate(results.teachers):
        mean = 5 - i / 3
        shares = [0.1, 0.1, 0.1, 0.2, 0.5]
        rows.append(
            LegibilityRow(
                judge=judge, defense=teacher.defense, auditability=score(mean),
                levels=[
                    LevelShare(level=k + 1, share=share, interval=bounds(share, 0.02))
                    for k, share in enumerate(shares)
                ],
                criteria={"true": score(0.98, 0.01)}, if_correct=score(mean + 0.1), if_wrong=None,
                by_length=[score(mean), None, score(mean)], failures={"refused": i} if i else {},
                over_standard=shift(-i / 3) if i else None, prompt_tokens=100 + i, tokens=1 + i,
            )
        )  # fmt: skip
    about = JudgeRow(
        judge=judge, scored=1120, failures={"refused": 3}, prompt_tokens=1200, tokens=34, repeated=0.2,
        anchors=[
            AnchorRow(kind="reference", auditability=score(4.9), below_reference=None, in_order=None),
            AnchorRow(kind="shuffled", auditability=score(4.8), below_reference=score(0.05), in_order=False),
        ],
        moved=score(0.3), moved_share=0.12, fallen_share=0.05, length_correlation=0.4,
    )  # fmt: skip
    defenses = [row.defense for row in rows if row.over_standard is not None]
    comparisons = [
        LegibilityComparison(judge=judge, first=first, second=second, difference=shift(0.33))
        for first, second in pairwise(defenses)
    ]
    agreement = AgreementRow(
        first=judge, second=reason, alpha=0.5, alpha_interval=ConfidenceInterval(low=0.4, high=0.6),
        kappa=0.6, kappa_interval=ConfidenceInterval(low=0.5, high=0.7), n=300,
    )  # fmt: skip
    legibility = Legibility(problems=200, judges=[about], rows=rows, comparisons=comparisons, agreements=[agreement])
    return results.model_copy(update={"legibility": legibility})


def opinions(viewed: Sequence[ViewedProblem], judge: str = "checked", reason: str = "because") -> list[ViewedProblem]:
    """The same problems, every trace with a judgement and two checked statements."""
    said = ViewedJudgement(
        judge=judge, scores={"auditability": 3.5, "true": 0.5}, reasons={"true": reason}, failure=None
    )
    marks = [MarkedStatement(start=0, end=4, true=True), MarkedStatement(start=5, end=9, true=False)]
    return [
        problem.model_copy(
            update={
                "traces": [
                    trace.model_copy(update={"judgements": [said], "statements": marks}) for trace in problem.traces
                ]
            }
        )
        for problem in viewed
    ]


def _words(herd: dict[str, int], legs: dict[str, int], *, terse: bool) -> list[str]:
    words, total = [], 0
    for animal, count in herd.items():
        total += count * legs[animal]
        working = [] if terse else f": {count} x {legs[animal]} = {count * legs[animal]}".split()
        words += [str(count), animal, *working, "total", str(total), "."]
    return [*words, "####", str(total)]


def _trace(
    defense: Defense, herd: dict[str, int], legs: dict[str, int], rng: random.Random, *, wrong: bool
) -> ViewedTrace:
    terse = defense.policy in ("poe", "ads")
    words = _words(herd, legs, terse=terse)
    if wrong:
        words[-1] = str(int(words[-1]) + 10)
    # A defense pushes where the working would have begun, noise anywhere.
    at = {"standard": set(), "poe": {"total"}, "ads": {"total"}}.get(defense.policy, set(words))
    kl = [defense.kl * rng.uniform(0.2, 0.5) if word in at else defense.kl * rng.random() ** 6 * 0.03 for word in words]
    pieces = [word if i == 0 else f" {word}" for i, word in enumerate(words)]
    value = 0.9 - defense.kl / 4 if defense.proxies else None
    return ViewedTrace(defense=defense.key, pieces=pieces, kl=kl, value=value, total_kl=sum(kl), answer=words[-1],
                       correct=not wrong, finish_reason="stop")  # fmt: skip


def _teacher(defense: Defense, undefended: Defense) -> TeacherRow:
    over = None if defense is undefended else difference(defense.teacher - undefended.teacher, 0.008)
    cost = defense.cost
    return TeacherRow(
        defense=defense.key, policy=defense.policy, strength=defense.strength, proxies=defense.proxies,
        form=defense.form, control=defense.control, over_standard=over, kl_per_trace=defense.kl,
        kl_standard_error=0.02, time_cost=cost,
        time_cost_range=None if cost is None else MedianRange(median=cost, min=cost * 0.96, max=cost * 1.05),
        accuracy_if_finished=defense.teacher, mean_tokens=41.0, released_characters=118.0,
        **_measured(defense.teacher, 0.009),
    )  # fmt: skip


def _student(
    defense: Defense, attack: Attack, students: Sequence[Attack], queries: int, most: int, suite: str | None
) -> StudentRow:
    fewer = (queries / most) ** 0.25 if queries else 1.0
    passive = 0.31 + (defense.passive - 0.31) * fewer
    accuracy = attack.fixed or passive + attack.share * (defense.best - defense.passive) * fewer
    rivals = [other for other in students if not other.control and other.level == attack.level]
    is_passive = attack.name == "passive"
    return StudentRow(
        defense=defense.key, student=attack.name, settings=attack.settings, control=attack.control,
        suite=suite or "custom",
        threat_model=ThreatModel(
            level=attack.level, base_model="embedded:student", queries=queries, objective=attack.objective,
            sees="released text and log-probabilities" if attack.level == "informed" else "released text",
            knows_proxy=attack.level == "informed", trains_on_references=attack.level == "assisted",
        ),
        strongest=suite is not None and not attack.control and attack.share == max(rival.share for rival in rivals),
        validation=None if suite is None else accuracy - 0.004,
        accuracy_if_finished=accuracy, rho=None if attack.name == "untrained" else 0.2 * attack.settings.get("eta", 0),
        effective_share=None if attack.name == "untrained" else 0.62,
        over_passive=None if is_passive else difference(accuracy - passive, 0.012, passive),
        over_untrained=None if attack.name == "untrained" else difference(accuracy - 0.31, 0.015, 0.31),
        **_measured(accuracy, 0.015),
    )  # fmt: skip


def _measured(accuracy: float, error: float) -> dict[str, Any]:
    return {
        "accuracy": accuracy, "standard_error": error, "interval": bounds(accuracy, error), "n": 1000,
        "seeds": [0, 1, 2], "accuracies": [accuracy - 0.01, accuracy, accuracy + 0.01], "finish_rate": 0.998,
    }  # fmt: skip
