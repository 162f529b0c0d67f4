"""The results of the game of attribution: how often each kind of suspect is traced to its owner."""

import os
from pathlib import Path

from pydantic import Field

from distillgame.records.legibility import MeanScore
from distillgame.strict import Strict

RATES = (1e-2, 1e-3, 1e-6)
"""False-positive rates at which true-positive rates are given, and false alarms are counted."""


class MarkRow(Strict):
    """A policy, marked or not, as users get it.

    Attributes:
        policy: The policy, with its options.
        accuracy: The teacher's accuracy under it on the test split, over all seeds.
        standard_error: Its standard error.
        kl_per_trace: Mean summed KL(pi_rel‖pi_ref) in nats.
        bits_per_trace: Mean information of a trace under the released distribution, in bits: the entropy of which a
            mark can make use.
        auditability: Mean auditability of the traces that a game judges, by judge; empty if nobody judged them.
    """

    policy: str
    accuracy: float
    standard_error: float
    kl_per_trace: float
    bits_per_trace: float
    auditability: dict[str, MeanScore] = Field(default_factory=dict)


class SuspectRow(Strict):
    """A kind of suspect under a policy, by one kind of evidence, over all seeds.

    Attributes:
        policy: The policy under which it was released its traces.
        suspect: Its name.
        evidence: The kind of evidence.
        seeds: The seeds.
        accuracy: Its accuracy on the test split, over all seeds.
        z: The owner's statistic over its standard deviation under unknown keys, per seed.
        p_values: The p-value of the owner's key, per seed.
        named: Who was named, per seed: ``owner``, ``nobody``, ``inconclusive`` or ``wrong``.
        false_alarms: Number of keys of owners whose text it never saw with a p-value of at most each of ``RATES``.
        tests: Number of such keys.
    """

    policy: str
    suspect: str
    evidence: str
    seeds: list[int]
    accuracy: float
    z: list[float]
    p_values: list[float]
    named: list[str]
    false_alarms: list[int]
    tests: int

    def rate(self, false_positives: float) -> float:
        """Return the share of seeds in which the owner's p-value is at most a false-positive rate."""
        return sum(p_value <= false_positives for p_value in self.p_values) / len(self.p_values)


class SuspectResults(Strict):
    """One game of attribution.

    Attributes:
        command: The command that made it.
        keys: Number of keys that were tested on each suspect.
        alpha: Level at which an owner is named.
        marks: One row per policy.
        suspects: One row per policy, suspect and kind of evidence.
    """

    command: str
    keys: int
    alpha: float
    marks: list[MarkRow]
    suspects: list[SuspectRow]

    def write(self, path: Path) -> None:
        """Write the results, completely or not at all."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
