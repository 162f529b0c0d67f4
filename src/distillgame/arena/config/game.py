"""The configuration of a game: who plays, on what, how hard."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from distillgame.arena.config.generation import Generation
from distillgame.choices import NamedChoice
from distillgame.models import ModelSpec
from distillgame.policies import Defense, ReleasePolicy
from distillgame.policies.forms import make_form
from distillgame.strict import Strict
from distillgame.students import SUITES, Objective, Student, StudentChoice, TrainingSettings
from distillgame.tasks import SPLITS, Task, tasks

DEFAULT = "proxy"
"""What policies call the one proxy that a game names under ``proxy``."""


class Attacker(Strict):
    """What the attacker knows and wants.

    Attributes:
        objective: Its validation objective L: ``reference`` (public worked solutions), ``released`` (released traces
            whose answer checks out) or ``clean`` (undefended traces: an oracle).
        references: How many of the holdout's worked solutions are public; all of them by default.
    """

    objective: Objective = "reference"
    references: int | None = Field(None, ge=1)


class Budgets(Strict):
    """What every policy was meant to meet, so that policies compare; a row that misses one is flagged.

    Attributes:
        teacher_accuracy: Accuracy that each defense leaves to the teacher.
        kl_per_trace: KL(pi_rel‖pi_ref) that each may spend, in nats a trace.
    """

    teacher_accuracy: float | None = Field(None, gt=0, le=1)
    kl_per_trace: float | None = Field(None, gt=0)


class Sweep(Strict):
    """What ``distillgame sweep`` plays beyond the game itself.

    Attributes:
        strengths: For a policy of the game, its parameter and further values of it.
        queries: Numbers of traces the attacker asks for; all of the training split by default.
    """

    strengths: dict[str, dict[str, list[float]]] = Field(default_factory=dict)
    queries: list[int] = Field(default_factory=list)


class Defender(Strict):
    """What the defender takes its gradient g of, on a holdout of its own.

    Attributes:
        objective: ``clean`` (its own undefended traces whose answer is right) or ``reference``.
    """

    objective: Literal["clean", "reference"] = "clean"


class Compute(Strict):
    """Where things run.

    Attributes:
        device: ``auto`` takes a GPU if there is one.
        workers: Processes that run stages side by side; ``auto`` is one for each core (at most 8), or for each GPU.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int | Literal["auto"] = "auto"

    @field_validator("workers")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        if value != "auto" and value < 1:
            raise ValueError("must be 'auto' or at least 1")
        return value


class CostSettings(Strict):
    """How the time cost of a policy is measured.

    Attributes:
        prompts: Prompts sampled in a repetition.
        repetitions: Interleaved repetitions; the median counts.
    """

    prompts: int = Field(64, ge=1)
    repetitions: int = Field(5, ge=1)


class Tuning(Strict):
    """What ``distillgame tune`` searches, on the validation split.

    Attributes:
        learning_rate: Rates of the trainer, each tried with every eta.
        eta: Tilts of the adaptive student, tried on every policy that is not a control.
        strengths: For a policy, its parameter and the values to try, as in ``{poe: {gamma: [0.3, 0.5]}}``.
        teacher_accuracy: The accuracy at which policies are compared; strengths are chosen closest to it.
    """

    learning_rate: list[float] = Field(default_factory=list)
    eta: list[float] = Field(default_factory=list)
    strengths: dict[str, dict[str, list[float]]] = Field(default_factory=dict)
    teacher_accuracy: float = Field(0.9, gt=0, le=1)


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
        controls: Whether the controls of DESIGN, section 3, are played where they are not listed.
        budgets: What every policy was meant to meet.
        sampling: How the teacher is sampled.
        evaluation: How students are sampled when they are evaluated.
        attacker: The attacker's side of the threat model.
        defender: The defender's gradient.
        training: The trainer's settings.
        cost: How time costs are measured.
        compute: Where things run.
        tuning: What ``distillgame tune`` searches.
        sweep: What ``distillgame sweep`` plays.
        quick: Values that replace others under ``--quick``.
    """

    task: NamedChoice
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
    controls: bool = True
    budgets: Budgets = Budgets()
    sampling: Generation
    evaluation: Generation
    attacker: Attacker = Attacker()
    defender: Defender = Defender()
    training: TrainingSettings = TrainingSettings()
    cost: CostSettings = CostSettings()
    compute: Compute = Compute()
    tuning: Tuning = Tuning()
    sweep: Sweep = Sweep()
    quick: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "GameConfig":
        self.make_task()
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
        for policy in self.make_policies():
            require_proxies(policy, self.all_proxies)
        if any(policy.needs_delta for policy in self.make_policies()) and self.splits.get("defender", 0) < 1:
            raise ValueError("splits.defender: needed for the defender's gradient")
        for defense in self.policies:
            make_form(defense.form)
        self._check_attacker()
        return self

    def _check_attacker(self) -> None:
        if not self.students and self.suite is None:
            raise ValueError("students: list some, or name a 'suite'")
        if self.suite is not None and self.suite not in SUITES:
            raise ValueError(f"suite: unknown suite '{self.suite}'; choose among {', '.join(SUITES)}")
        if self.suite is not None and self.splits.get("validation", 0) < 2:
            raise ValueError("splits.validation: a suite's strongest student is chosen there; at least 2 problems")
        holdout, made = self.splits.get("holdout", 0), self.make_students()
        if holdout < 1 and any(student.needs_objective or student.needs.references for student in made):
            raise ValueError("splits.holdout: needed for the attacker's validation objective and public solutions")
        for student in made:
            for name, value in student.settings.items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise ValueError(f"student '{student.name}': {name} is reported as a number (found {value!r})")
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

    def make_policies(self) -> list[ReleasePolicy]:
        """The release policies, in order."""
        return [choice.policy for choice in self.policies]

    def make_students(self) -> list[Student]:
        """The students that are listed and those of the suite, in order."""
        return [choice.student for choice in self.attackers]

    @property
    def attackers(self) -> list[StudentChoice]:
        """The students that are listed, then the suite's others."""
        members = () if self.suite is None else SUITES[self.suite].members
        # By what they are, not by how they are written: an option may stand at its default.
        known = {(choice.name, *choice.student.settings.items()) for choice in self.students}
        return [
            *self.students,
            *(choice for choice in members if (choice.name, *choice.options.items()) not in known),
        ]

    def make_task(self) -> Task:
        """The task."""
        return make_task(self.task)


def require_proxies(policy: ReleasePolicy, known: Mapping[str, Any]) -> None:
    """Check that the proxies that a policy needs are among those that are known.

    Raises:
        ValueError: If one is not.
    """
    for name in policy.proxy_names:
        if name not in known:
            where = "a 'proxy'" if name == DEFAULT else f"'{name}' among the 'proxies'"
            raise ValueError(f"policy '{policy.name}' needs {where}")


def make_task(choice: NamedChoice) -> Task:
    """Make a task from its name and options.

    Raises:
        DistillgameError: If the name or an option is not acceptable.
    """
    return tasks.make(choice.name, choice.options)
