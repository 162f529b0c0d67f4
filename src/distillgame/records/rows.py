"""The rows of ``results.json``: teachers, students, comparisons and flags."""

from typing import Literal

from pydantic import Field

from distillgame.choices import shown
from distillgame.records.facts import LearntFacts
from distillgame.records.intervals import ConfidenceInterval, MedianRange
from distillgame.strict import Strict


class Difference(Strict):
    """A difference of accuracies, paired by seed and problem.

    Attributes:
        value: The difference.
        standard_error: Its standard error, over problems and seeds.
        interval: Its 95% interval.
        p_value: Two-sided p-value for no difference, corrected for the number of comparisons (Holm).
        significant: Whether the corrected p-value is below .05.
        relative: The ratio of both accuracies less one; None where the second is zero.
        relative_interval: Its 95% interval.
    """

    value: float
    standard_error: float
    interval: ConfidenceInterval
    p_value: float
    significant: bool
    relative: float | None = None
    relative_interval: ConfidenceInterval | None = None


class MeasuredRow(Strict):
    """The measurements common to teachers and students.

    Attributes:
        accuracy: Accuracy on the evaluated split, over all seeds.
        standard_error: Standard error of the accuracy, over problems (one seed) or over seeds and problems (several).
        interval: The accuracy's 95% interval.
        n: Number of problems, each answered once per seed.
        seeds: The seeds.
        accuracies: The accuracy of each seed.
        finish_rate: Share of completions that ended by themselves.
        accuracy_if_finished: Accuracy among those; None if there are none.
    """

    accuracy: float
    standard_error: float
    interval: ConfidenceInterval
    n: int
    seeds: list[int]
    accuracies: list[float]
    finish_rate: float
    accuracy_if_finished: float | None


class TeacherRow(MeasuredRow):
    """The teacher under a policy, as users get it.

    Attributes:
        defense: The policy, its options and the form of release, as one text; students' rows refer to it.
        policy: The policy's name.
        strength: Its parameters.
        proxies: Names and weights of its proxies; empty if it uses none.
        combine: How it combines the values of several; None if it does not.
        form: The released part of a completion: ``full``, ``summary``, ``answer_only`` or ``truncated share=0.5``.
        control: Whether the policy is a control rather than a defense.
        over_standard: Accuracy minus the undefended teacher's; None for the latter, or if it was not played.
        kl_per_trace: Mean over traces of the summed KL(pi_rel‖pi_ref), in nats: the measured epsilon. None when
            sampling is greedy.
        kl_standard_error: Standard error of that mean.
        time_cost: Seconds per sampled token, relative to undefended sampling in the same engine; None if not measured.
        time_cost_range: Median and range over repetitions.
        mean_tokens: Mean number of sampled tokens.
        released_characters: Mean length of the released text.
        written_tokens: Mean number of tokens that a model wrote per completion to put it into its form, discarded texts
            included; None if no model did.
    """

    defense: str
    policy: str
    strength: dict[str, float]
    proxies: dict[str, float] = Field(default_factory=dict)
    combine: str | None = None
    form: str = "full"
    control: bool
    over_standard: Difference | None
    kl_per_trace: float | None
    kl_standard_error: float | None
    time_cost: float | None
    time_cost_range: MedianRange | None
    mean_tokens: float
    released_characters: float
    written_tokens: float | None = None


Level = Literal["text", "assisted", "informed"]
"""The sources of a student: text; also public solutions to train on; or log-probabilities or the proxy."""


class ThreatModel(Strict):
    """The attacker's knowledge and means.

    Attributes:
        level: ``text``, ``assisted`` or ``informed``; the strongest student is chosen within each level.
        sees: The outputs of the teacher that it sees.
        base_model: The model it starts from.
        queries: Number of released traces it asks for per seed.
        objective: Its validation objective, or None if the student uses none.
        knows_proxy: Whether it knows the defender's proxy.
        trains_on_references: Whether public worked solutions are in its training set.
    """

    level: Level = "text"
    sees: str = "released text"
    base_model: str
    queries: int
    objective: Literal["reference", "released", "clean"] | None
    knows_proxy: bool = False
    trains_on_references: bool = False


class StudentRow(MeasuredRow):
    """A student trained on a policy's traces.

    Attributes:
        defense: The teacher row's ``defense``, whose traces it was trained on.
        student: The student's name.
        settings: The student's parameters.
        suite: The frozen suite that contains it with these settings and this training (``standard v1``), or
            ``custom``.
        threat_model: Its knowledge and means.
        control: Whether it is a control rather than an attack.
        strongest: Whether it was chosen on the validation split as the strongest of its level and queries.
        validation: Its accuracy on the validation split with the first seed; None if no student was chosen there.
        tried: Number of students that were trained and measured there, compositions that were given up included, for
            which p-values are corrected; None for controls, or if no student was chosen.
        rho: Mean KL of the minibatch weights to uniform, in nats; None if it was not trained.
        effective_share: Mean effective sample size of an optimiser step (1 over the sum of squared weights), as a share
            of its traces; None if it was not trained.
        over_passive: Accuracy minus the passive student's under the same policy; None without a passive student.
        over_untrained: Accuracy minus the untrained student's.
        facts: The private facts that it learnt; None where the task has none.
    """

    defense: str
    student: str
    settings: dict[str, float | str]
    suite: str
    threat_model: ThreatModel
    control: bool
    strongest: bool = False
    validation: float | None = None
    tried: int | None = None
    rho: float | None
    effective_share: float | None
    over_passive: Difference | None
    over_untrained: Difference | None
    facts: LearntFacts | None = None

    @property
    def label(self) -> str:
        """The student's name with its settings."""
        return " ".join([self.student, *(f"{key}={shown(value)}" for key, value in self.settings.items())])


class ComparisonRow(Strict):
    """The strongest students of two defenses, paired by seed and problem.

    Attributes:
        first: A defense.
        second: Another.
        first_student: Its strongest student.
        second_student: The other's.
        level: The level of both students.
        queries: Number of traces each asked for.
        difference: The first's leakage minus the second's.
    """

    first: str
    second: str
    first_student: str
    second_student: str
    level: Level
    queries: int
    difference: Difference


class FlagRow(Strict):
    """A caveat that a reader must know before trusting a result.

    Attributes:
        flag: The flag's name; the documentation has a section on each.
        defense: The defense it concerns, or None for the whole game.
        student: The label of the student it concerns, if any.
        queries: The number of queries, if it concerns a student.
        message: One sentence.
    """

    flag: str
    defense: str | None
    student: str | None
    queries: int | None = None
    message: str
