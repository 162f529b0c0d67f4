"""The configuration of a game: who plays, on what, how hard."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from distillgame.arena.generation import Generation
from distillgame.models import ModelSpec
from distillgame.policies import ReleasePolicy, make_policy
from distillgame.strict import Strict
from distillgame.students import Student, TrainingSettings, make_student
from distillgame.tasks import SPLITS, Task, tasks

DEFAULT = "proxy"
"""What policies call the one proxy that a game names under ``proxy``."""


class NamedChoice(Strict):
    """A registered thing with its parameters: ``name``, or ``name: {parameter: value}`` in YAML."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"name": data}
        if isinstance(data, dict) and len(data) == 1 and "name" not in data:
            name, options = next(iter(data.items()))
            return {"name": name, "options": options or {}}
        return data

    @property
    def label(self) -> str:
        """The name with its parameters, as in ``poe gamma=0.3 proxies=small:1,large:2``."""
        return " ".join([self.name, *(f"{key}={_shown(value)}" for key, value in self.options.items())])


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{_shown(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


class Attacker(Strict):
    """What the attacker knows and wants.

    Attributes:
        objective: Its validation objective L: ``reference`` (public worked solutions), ``released`` (released traces
            whose answer checks out) or ``clean`` (undefended traces: an oracle).
    """

    objective: Literal["reference", "released", "clean"] = "reference"


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
        workers: Processes that run stages side by side; ``auto`` is one for each core (at most 8), or one for a GPU.
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
        sampling: How the teacher is sampled.
        evaluation: How students are sampled when they are evaluated.
        attacker: The attacker's side of the threat model.
        defender: The defender's gradient.
        training: The trainer's settings.
        cost: How time costs are measured.
        compute: Where things run.
        tuning: What ``distillgame tune`` searches.
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
    policies: list[NamedChoice] = Field(min_length=1)
    students: list[NamedChoice] = Field(min_length=1)
    sampling: Generation
    evaluation: Generation
    attacker: Attacker = Attacker()
    defender: Defender = Defender()
    training: TrainingSettings = TrainingSettings()
    cost: CostSettings = CostSettings()
    compute: Compute = Compute()
    tuning: Tuning = Tuning()
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
        if any(student.needs_values for student in self.make_students()) and self.splits.get("holdout", 0) < 1:
            raise ValueError("splits.holdout: needed for the attacker's validation objective")
        return self

    @property
    def all_proxies(self) -> dict[str, ModelSpec]:
        """All proxies by name."""
        return ({} if self.proxy is None else {DEFAULT: self.proxy}) | self.proxies

    def make_policies(self) -> list[ReleasePolicy]:
        """The release policies, in order."""
        return [make_policy(choice.name, choice.options) for choice in self.policies]

    def make_students(self) -> list[Student]:
        """The students, in order."""
        return [make_student(choice.name, choice.options) for choice in self.students]

    def make_task(self) -> Task:
        """The task."""
        return make_task(self.task)


def require_proxies(policy: ReleasePolicy, known: Mapping[str, Any]) -> None:
    """Check that the proxies that a policy needs are among those that are known.

    Raises:
        ValueError: If one is not.
    """
    if not (policy.needs_proxy or policy.needs_delta):
        return
    for name in policy.proxies:
        if name not in known:
            where = "a 'proxy'" if name == DEFAULT else f"'{name}' among the 'proxies'"
            raise ValueError(f"policy '{policy.name}' needs {where}")


def make_task(choice: NamedChoice) -> Task:
    """Make a task from its name and options.

    Raises:
        DistillgameError: If the name or an option is not acceptable.
    """
    return tasks.make(choice.name, choice.options)
