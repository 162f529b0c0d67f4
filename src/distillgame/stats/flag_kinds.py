"""The kinds of flags on suspicious results; each has a section in docs/flags.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FlagKind:
    """One kind of flag.

    Attributes:
        name: The name, also the heading of its section in docs/flags.md.
        meaning: One sentence for a reader who sees it for the first time.
    """

    name: str
    meaning: str


FLAGS = {
    flag.name: flag
    for flag in (
        FlagKind(
            "adaptive_weaker",
            "An adaptive student is weaker than the passive one beyond noise: the attack is badly tuned, or there is "
            "nothing to find.",
        ),
        FlagKind(
            "loses_to_untrained", "A student loses to its own untrained self: training went wrong, or traces poison."
        ),
        FlagKind(
            "finish_rate",
            "A win is explained by finish rate: fewer of the students' answers end by themselves, and those that do "
            "are as good.",
        ),
        FlagKind("eta_zero_differs", "The adaptive trainer at eta = 0 does not reproduce the passive student."),
        FlagKind("weights_collapsed", "Weights collapsed: a training step learnt from a few of its traces only."),
        FlagKind(
            "weighing_helps_unmeant", "Shuffled weights gain too: part of the adaptive gain is not the values' doing."
        ),
        FlagKind(
            "edge_of_suite", "The strongest adaptive student has the largest eta tried: a larger one may be stronger."
        ),
        FlagKind("references_suffice", "Public solutions alone teach as much as the strongest student learnt."),
        FlagKind("proxy_is_student", "A proxy is the student itself: no real defender knows its attacker so well."),
        FlagKind("too_few_problems", "There are too few test problems for a difference of this size."),
        FlagKind("budget_missed", "A budget was not met: defenses are not compared at equal utility."),
        FlagKind(
            "anchors_out_of_order",
            "A judge does not tell good solutions from spoiled ones: its scores say nothing about legibility.",
        ),
        FlagKind("judges_disagree", "Two judges do not agree well enough for conclusions (alpha below .667)."),
        FlagKind("judge_of_the_family", "A judge is of the family of a player's model, whose texts it may favour."),
        FlagKind("length_explains_score", "A judge's scores follow the length of the traces."),
        FlagKind(
            "judge_wavers", "A judge scores one trace differently when it is asked again with its levels turned round."
        ),
        FlagKind("judge_is_talked_round", "Texts that ask a judge for a better score get one."),
        FlagKind(
            "custom_suite", "Students are not those of a frozen suite at its settings: rows compare with no other run."
        ),
    )
}
"""All kinds of flags by name."""
