"""The sections of a game's configuration."""

from typing import Any, Literal

from pydantic import ByteSize, Field, field_validator, model_validator

from distillgame.judges import JudgeChoice
from distillgame.models import DeviceName, WriterSpec
from distillgame.strict import Strict
from distillgame.students import Objective


class Attacker(Strict):
    """The attacker's side of the threat model.

    Attributes:
        objective: Its validation objective L: ``reference`` (public worked solutions), ``released`` (released traces
            whose answer checks out) or ``clean`` (undefended traces: an oracle).
        references: How many of the holdout's worked solutions are public; all of them by default.
        paraphraser: A third model, from any source or behind an endpoint, that rewrites traces for students that ask
            for it.
    """

    objective: Objective = "reference"
    references: int | None = Field(None, ge=1)
    paraphraser: WriterSpec | None = None


class Budgets(Strict):
    """Goals that every policy was meant to meet, so that policies compare; a row that misses one is flagged.

    Attributes:
        teacher_accuracy: Accuracy that each defense leaves to the teacher.
        kl_per_trace: KL(pi_rel‖pi_ref) that each may spend, in nats per trace.
    """

    teacher_accuracy: float | None = Field(None, gt=0, le=1)
    kl_per_trace: float | None = Field(None, gt=0)


class Search(Strict):
    """The search for compositions of students, by successive halving on the validation split.

    Attributes:
        trainings: Trainings of composed students per defense and number of queries; none are composed with 0.
    """

    trainings: int = Field(0, ge=0)


class Judging(Strict):
    """The judges of what was released; in YAML also a plain list of them.

    Attributes:
        judges: The judges; the first one's word is the table's.
        problems: How many problems of the reported split they read, as every defense released them with the first seed.
        anchors: Number of problems from which anchors are made.
        repeats: Number of traces that are judged twice.
    """

    judges: list[JudgeChoice] = Field(default_factory=list)
    problems: int = Field(200, ge=2)
    anchors: int = Field(20, ge=0)
    repeats: int = Field(20, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"judges": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _check(self) -> "Judging":
        labels = [choice.label for choice in self.judges]
        for choice in self.judges:
            choice.judge  # noqa: B018  (it is made once, and refused here if it cannot be)
            if labels.count(choice.label) > 1:
                raise ValueError(f"judges: '{choice.label}' is listed twice")
        return self


class Sweep(Strict):
    """The grid that ``distillgame sweep`` plays beyond the game itself.

    Attributes:
        strengths: For a policy of the game, its parameter and further values of it.
        queries: Numbers of traces the attacker asks for; all of the training split by default.
    """

    strengths: dict[str, dict[str, list[float]]] = Field(default_factory=dict)
    queries: list[int] = Field(default_factory=list)


class Defender(Strict):
    """The objective of the defender's gradient g, on a holdout of its own.

    Attributes:
        objective: ``clean`` (its own undefended traces whose answer is right) or ``reference``.
    """

    objective: Literal["clean", "reference"] = "clean"


class Resources(Strict):
    """The part of a node that a stage takes while it runs; parts that are not given are estimated.

    Attributes:
        cpus: Number of processors.
        gpus: Number of GPUs; below 1, several stages share one.
        memory: Bytes of the node's memory, also as a text: ``8GB``.
    """

    cpus: float | None = Field(None, gt=0)
    gpus: float | None = Field(None, ge=0)
    memory: ByteSize | None = Field(None, gt=0)

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, value: float | None) -> float | None:
        if value is not None and value > 1 and value != int(value):
            raise ValueError("must be a whole number above 1")
        return value


class Gpu(Strict):
    """The GPU that a dry run counts with.

    Attributes:
        teraflops: Operations per second that it keeps up, in units of 10^12.
        price: Dollars per hour; without it no costs are given.
    """

    teraflops: float = Field(100.0, gt=0)
    price: float | None = Field(None, gt=0)


class Compute(Strict):
    """The device, who computes, and what stays on the disk.

    Attributes:
        device: ``auto`` takes a GPU if there is one.
        engine: ``processes`` are worker processes on this machine; ``ray`` gives every stage to a Ray cluster.
        workers: Processes that run stages side by side; ``auto`` is one per core (at most 8), or one per GPU.
        address: The Ray cluster: ``auto`` is the one that this machine belongs to or that ``RAY_ADDRESS`` names,
            ``local`` starts one on this machine, anything else is an address.
        resources: For a kind of stage, what it takes of a Ray node instead of the estimate.
        store: The URL of a folder in an object store, ``s3://BUCKET/FOLDER`` or ``gs://BUCKET/FOLDER``, in which
            stages are finished and which gets a copy of the results; the run's own folder then holds copies.
        cache: Bytes that a Ray node's copies of finished stages may take, also as a text: ``50GB``.
        keep_students: Whether trained students stay on the disk once they are evaluated; a later game in the same
            folder that evaluates one elsewhere otherwise trains it again.
        gpu: The GPU that ``--dry-run`` counts with.
    """

    device: DeviceName = "auto"
    engine: Literal["processes", "ray"] = "processes"
    workers: int | Literal["auto"] = "auto"
    address: str = Field("auto", min_length=1)
    resources: dict[str, Resources] = Field(default_factory=dict)
    store: str | None = None
    cache: ByteSize = Field(ByteSize(100_000_000_000), gt=0)
    keep_students: bool = False
    gpu: Gpu = Gpu()

    @field_validator("workers")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        if value != "auto" and value < 1:
            raise ValueError("must be 'auto' or at least 1")
        return value

    @model_validator(mode="after")
    def _fit_engine(self) -> "Compute":
        given = {"processes": ("address", "resources", "cache"), "ray": ("workers",)}[self.engine]
        for name in given:
            if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                raise ValueError(f"{name}: is not for engine '{self.engine}'")
        return self


class CostSettings(Strict):
    """The measurement of a policy's time cost.

    Attributes:
        prompts: Prompts sampled per repetition.
        repetitions: Interleaved repetitions; the median counts.
    """

    prompts: int = Field(64, ge=1)
    repetitions: int = Field(5, ge=1)


class Tuning(Strict):
    """The values that ``distillgame tune`` searches, on the validation split.

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
