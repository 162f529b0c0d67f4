"""The configuration of a game: who plays, on what, how hard."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from distillgame.arena.config.attribution import AttributionSettings
from distillgame.arena.config.engines import require_engine, require_precision
from distillgame.arena.config.generation import Generation
from distillgame.arena.config.sections import (
    Attacker,
    Budgets,
    Compute,
    CostSettings,
    Defender,
    Judging,
    Search,
    Sweep,
    Tuning,
)
from distillgame.models import ModelSpec
from distillgame.policies import Defense, ReleasePolicy
from distillgame.policies.forms import make_form
from distillgame.strict import Strict
from distillgame.students import SUITES, StudentChoice, TrainingSettings
from distillgame.tasks import SPLITS, TaskChoice

DEFAULT = "proxy"
"""The name by which policies call the proxy that a game names under ``proxy``."""


class GameConfig(Strict):
    """One game: who plays, on what, how hard.

    Attributes:
        task: The task and its options.
        splits: Number of problems of each split.
        split_seed: Seed of the splits.
        seeds: Seeds of the game; each is a fresh set of traces and a fresh training.
        teacher: The reference teacher.
        proxy: The defender's stand-in for the student; needed by policies that use one.
        proxies: Further proxies by name, for policies that name them (``proxies: [proxy, large]``).
        student: The attacker's base model.
        policies: Release policies to play.
        students: Students to play.
        suite: A frozen suite of students to play beside them: the strongest is chosen on the validation split with
            the first seed, and played with all seeds on the test split.
        search: How many compositions of students are tried beside them.
        controls: Whether the controls (docs/suite.md) are played where they are not listed.
        budgets: Goals that every policy was meant to meet.
        judge: Who judges whether what was released is still worth reading.
        sampling: How the teacher is sampled.
        evaluation: How students are sampled when they are evaluated.
        attacker: The attacker's side of the threat model.
        defender: The defender's gradient.
        training: The trainer's settings.
        cost: How time costs are measured.
        compute: Where things run.
        tuning: The values that ``distillgame tune`` searches.
        sweep: The grid that ``distillgame sweep`` plays.
        attribution: The suspects that ``distillgame attribute --game`` makes.
        quick: Values that replace others under ``--quick``.
    """

    task: TaskChoice
    splits: dict[str, int]
    split_seed: int = 0
    seeds: list[int] = Field(min_length=1)
    teacher: ModelSpec
    proxy: ModelSpec | None = None
    proxies: dict[str, ModelSpec] = Field(default_factory=dict)
    student: ModelSpec
    policies: list[Defense] = Field(min_length=1)
    students: list[StudentChoice] = Field(default_factory=list)
    suite: str | None = None
    search: Search = Search()
    controls: bool = True
    budgets: Budgets = Budgets()
    judge: Judging = Judging()
    sampling: Generation
    evaluation: Generation
    attacker: Attacker = Attacker()
    defender: Defender = Defender()
    training: TrainingSettings = TrainingSettings()
    cost: CostSettings = CostSettings()
    compute: Compute = Compute()
    tuning: Tuning = Tuning()
    sweep: Sweep = Sweep()
    attribution: AttributionSettings = AttributionSettings()
    quick: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "GameConfig":
        self.task.task  # noqa: B018  (it is made once, and refused here if it cannot be)
        for name in self.splits:
            if name not in SPLITS:
                raise ValueError(f"splits.{name}: unknown split; choose among {', '.join(SPLITS)}")
        for name in ("train", "test"):
            if self.splits.get(name, 0) < 2:
                raise ValueError(f"splits.{name}: at least 2 problems are needed")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: a seed is listed twice")
        labels = [choice.label for choice in [*self.policies, *self.students]]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"'{label}' is listed twice")
        for name in (DEFAULT, "teacher", "student"):
            if name in self.proxies:
                raise ValueError(f"proxies: '{name}' has its own place in the configuration; choose another name")
        for defense in self.policies:
            require_proxies(defense.policy, self.all_proxies)
        if any(defense.policy.needs_delta for defense in self.policies) and self.splits.get("defender", 0) < 1:
            raise ValueError("splits.defender: needed for the defender's gradient")
        for defense in self.policies:
            make_form(defense.form)
        self._check_engines()
        self._check_attacker()
        return self

    def _check_engines(self) -> None:
        proxies, lora = self.all_proxies, self.training.lora
        require_engine("sampling", self.sampling, {"teacher": self.teacher, **proxies})
        require_engine("evaluation", self.evaluation, {"student": self.student}, 0 if lora is None else lora.rank)
        if self.sampling.engine is not None:
            require_precision(self.teacher, proxies, any(each.policy.needs_delta for each in self.policies))

    def _check_attacker(self) -> None:
        if self.search.trainings and self.splits.get("validation", 0) < 2:
            raise ValueError("splits.validation: compositions are compared there; at least 2 problems")
        if not self.students and self.suite is None:
            raise ValueError("students: list some, or name a 'suite'")
        if self.suite is not None and self.suite not in SUITES:
            raise ValueError(f"suite: unknown suite '{self.suite}'; choose among {', '.join(SUITES)}")
        if self.suite is not None and self.splits.get("validation", 0) < 2:
            raise ValueError("splits.validation: a suite's strongest student is chosen there; at least 2 problems")
        holdout, made = self.splits.get("holdout", 0), [choice.student for choice in self.attackers]
        if holdout < 1 and any(student.needs_objective or student.needs.references for student in made):
            raise ValueError("splits.holdout: needed for the attacker's validation objective and public solutions")
        for student in made:
            for name, value in student.settings.items():
                if isinstance(value, bool) or not isinstance(value, int | float | str):
                    raise ValueError(
                        f"student '{student.name}': {name} is reported as a number or a name (found {value!r})"
                    )
        if self.attacker.references is not None and self.attacker.references > holdout:
            raise ValueError(f"attacker.references: the holdout has only {holdout} problems")
        self._check_sweep()

    def _check_sweep(self) -> None:
        if len(set(self.sweep.queries)) < len(self.sweep.queries):
            raise ValueError("sweep.queries: a number is listed twice")
        for queries in self.sweep.queries:
            if not 1 <= queries <= self.splits["train"]:
                raise ValueError(f"sweep.queries: {queries} is not between 1 and splits.train ({self.splits['train']})")
        for name in self.sweep.strengths:
            if name not in {policy.name for policy in self.policies}:
                raise ValueError(f"sweep.strengths.{name}: list this policy among the game's first")

    @property
    def all_proxies(self) -> dict[str, ModelSpec]:
        """All proxies by name."""
        return ({} if self.proxy is None else {DEFAULT: self.proxy}) | self.proxies

    @property
    def attackers(self) -> list[StudentChoice]:
        """The students that are listed, then the suite's others."""
        members = () if self.suite is None else SUITES[self.suite].members
        # By what they are, not by how they are written: an option may stand at its default.
        known = {(choice.name, *choice.student.settings.items()) for choice in self.students}
        return [
            *self.students,
            *(choice for choice in members if (choice.name, *choice.student.settings.items()) not in known),
        ]


def require_proxies(policy: ReleasePolicy, known: Mapping[str, Any]) -> None:
    """Check that the proxies that a policy needs are among those that are known.

    Raises:
        ValueError: If one is not.
    """
    for name in policy.proxy_names:
        if name not in known:
            where = "a 'proxy'" if name == DEFAULT else f"'{name}' among the 'proxies'"
            raise ValueError(f"policy '{policy.name}' needs {where}")
