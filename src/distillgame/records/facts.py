"""Leakage counted in a task's private facts: those that traces release, and those that a student learnt."""

from distillgame.records.intervals import ConfidenceInterval
from distillgame.strict import Strict


class FactCount(Strict):
    """A number of facts.

    Attributes:
        mean: The number, mean over seeds.
        interval: Its 95% interval, over facts and seeds.
        by_kind: The number of each kind of fact, mean over seeds.
    """

    mean: float
    interval: ConfidenceInterval
    by_kind: dict[str, float]


class ReleaseRow(Strict):
    """The private facts that a defense's traces release.

    Attributes:
        defense: The teacher row's ``defense``.
        queries: Number of traces asked for.
        facts: Number of private facts there are.
        kinds: Number of each kind.
        stated: Facts that most statements in the traces give rightly.
        derivable: Facts that most claims give rightly, where what follows from the traces counts as a claim.
        hidden: Names of the facts that are derivable with no seed.
    """

    defense: str
    queries: int
    facts: int
    kinds: dict[str, int]
    stated: FactCount
    derivable: FactCount
    hidden: list[str]


class LearntFacts(Strict):
    """The private facts that a student shows to know, and what it makes of them.

    Attributes:
        free: Facts that it gives rightly in its own words.
        forced: Facts that it gives rightly in most probes in which its answer was begun for it.
        knowledge: Share of the problems all of whose facts are among the latter.
        accuracy_if_known: Its accuracy on those, its *method*; None if there are none.
        accuracy_if_unknown: Its accuracy on the others, likewise.
    """

    free: FactCount
    forced: FactCount
    knowledge: float
    accuracy_if_known: float | None
    accuracy_if_unknown: float | None
