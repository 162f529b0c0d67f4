"""The schema of ``results.json``: one row for each (policy, strength, student) over all seeds."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from distillgame.errors import DistillgameError
from distillgame.strict import Strict, parse

SCHEMA = 1
"""Raised whenever a field changes its meaning or goes."""


class Interval(Strict):
    """A median with the range it came from."""

    median: float
    min: float
    max: float


class Difference(Strict):
    """A difference of accuracies, paired by seed and problem.

    Attributes:
        value: The difference.
        standard_error: Its standard error, over problems and seeds.
    """

    value: float
    standard_error: float


class TeacherRow(Strict):
    """What users get from the teacher under a policy.

    Attributes:
        policy: The policy's name.
        strength: Its parameters.
        proxies: Names and weights of its proxies; empty if it uses none.
        combine: How it combines the values of several; None if it does not.
        control: Whether the policy is a control rather than a defense.
        accuracy: On the evaluated split, over all seeds.
        standard_error: Of the accuracy; over problems with one seed, over seeds and problems with several.
        n: Number of problems, each answered once a seed.
        seeds: The seeds.
        accuracies: The accuracy of each seed.
        kl_per_trace: Mean over traces of the summed KL(pi_rel‖pi_ref), in nats: the measured epsilon. None when
            sampling is greedy.
        kl_standard_error: Of that mean.
        time_cost: Seconds a sampled token relative to undefended sampling in the same engine; None if not measured.
        time_cost_range: Median and range over repetitions.
        finish_rate: Share of completions that ended by themselves.
        accuracy_if_finished: Accuracy among those; None if there are none.
        mean_tokens: Mean number of sampled tokens.
    """

    policy: str
    strength: dict[str, float]
    proxies: dict[str, float] = Field(default_factory=dict)
    combine: str | None = None
    control: bool
    accuracy: float
    standard_error: float
    n: int
    seeds: list[int]
    accuracies: list[float]
    kl_per_trace: float | None
    kl_standard_error: float | None
    time_cost: float | None
    time_cost_range: Interval | None
    finish_rate: float
    accuracy_if_finished: float | None
    mean_tokens: float


class ThreatModel(Strict):
    """What the attacker knows and may do.

    Attributes:
        sees: What it sees of the teacher.
        base_model: The model it starts from.
        queries: Number of released traces it trains on, a seed.
        objective: Its validation objective, or None if the student uses none.
        knows_proxy: Whether it knows the defender's proxy.
    """

    sees: str = "released text"
    base_model: str
    queries: int
    objective: Literal["reference", "released", "clean"] | None
    knows_proxy: bool = False


class StudentRow(Strict):
    """What a student makes of a policy's traces.

    Attributes:
        policy: The policy's name.
        strength: Its parameters.
        proxies: Names and weights of its proxies; empty if it uses none.
        combine: How it combines the values of several; None if it does not.
        student: The student's name.
        settings: The student's parameters.
        threat_model: What it knows.
        control: Whether it is a control rather than an attack.
        accuracy: On the evaluated split, over all seeds.
        standard_error: Of the accuracy; over problems with one seed, over seeds and problems with several.
        n: Number of problems, each answered once a seed.
        seeds: The seeds.
        accuracies: The accuracy of each seed.
        finish_rate: Share of completions that ended by themselves.
        accuracy_if_finished: Accuracy among those; None if there are none.
        rho: Mean KL of the minibatch weights to uniform, in nats; None if it was not trained.
        over_passive: Accuracy minus the passive student's under the same policy; None without a passive student.
    """

    policy: str
    strength: dict[str, float]
    proxies: dict[str, float] = Field(default_factory=dict)
    combine: str | None = None
    student: str
    settings: dict[str, float]
    threat_model: ThreatModel
    control: bool
    accuracy: float
    standard_error: float
    n: int
    seeds: list[int]
    accuracies: list[float]
    finish_rate: float
    accuracy_if_finished: float | None
    rho: float | None
    over_passive: Difference | None


class Results(Strict):
    """One game.

    Attributes:
        schema_version: :data:`SCHEMA`, called ``schema`` in the file.
        command: The command that made it.
        versions: Versions of Python and of the libraries that matter.
        device: The kind of device it ran on.
        task: The task's name.
        split: The split that is reported.
        models: Sources of teacher, proxy and student.
        teachers: One row a policy.
        students: One row a policy and student.
        config: The whole configuration.
    """

    schema_version: int = Field(SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA)
    command: str
    versions: dict[str, str]
    device: str
    task: str
    split: str
    models: dict[str, str | None]
    teachers: list[TeacherRow]
    students: list[StudentRow]
    config: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write ``results.json``; it appears whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(self.model_dump(mode="json", by_alias=True), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)

    def find(self, policy: str, student: str) -> StudentRow:
        """The first row of a student under a policy.

        Raises:
            KeyError: If there is none.
        """
        for row in self.students:
            if (row.policy, row.student) == (policy, student):
                return row
        raise KeyError(f"no student '{student}' under policy '{policy}'")


def read_results(path: Path) -> Results:
    """Read ``results.json``.

    Raises:
        DistillgameError: If the file is missing, not JSON, or of another schema.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DistillgameError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise DistillgameError(f"{path}: not readable JSON") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise DistillgameError(f"{path}: not results of schema {SCHEMA}")
    return parse(Results, data, str(path))
