"""Anchors: exhibits of a known order, by which a judge shows that it can tell good from bad."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from distillgame.judges.base import Exhibit
from distillgame.judges.harm import garbled, planted, shuffled
from distillgame.seeding import derive_seed
from distillgame.stats import Scored, Shift, paired_shift
from distillgame.tasks import Notation, Problem
from distillgame.tasks.grading import gold_answers

REFERENCE = "reference"
"""The kind that ought to stand above each of the others: the public worked solution itself."""

ANSWER_ALONE = "answer_alone"
"""The final answer without any step."""

FEWEST = 6
"""Problems below which no order is shown: five differences of one sign come by chance in one of 16 cases."""

_HARMS: Mapping[str, Callable[[str, random.Random], str | None]] = {
    "shuffled": shuffled,
    "planted": planted,
    "garbled": garbled,
}

KINDS = (REFERENCE, *_HARMS, ANSWER_ALONE)
"""All kinds of anchors."""


@dataclass(frozen=True)
class Anchor:
    """An exhibit whose place among others of its problem is known.

    Attributes:
        kind: One of :data:`KINDS`: the reference solution; the same with its steps in another order, with one number
            changed, or with its words garbled; or the final answer alone.
        problem_id: The problem.
        exhibit: What a judge sees.
    """

    kind: str
    problem_id: str
    exhibit: Exhibit


@dataclass(frozen=True)
class AnchorPair:
    """Two kinds of anchors of which the first ought to be scored higher.

    Attributes:
        above: The kind that ought to be higher.
        below: The other.
        shift: The paired shift from the second to the first; None if fewer than :data:`FEWEST` problems have both.
    """

    above: str
    below: str
    shift: Shift | None

    @property
    def holds(self) -> bool:
        """True if the whole interval of the shift is above 0."""
        return self.shift is not None and self.shift.low > 0


def anchors_of(problems: Sequence[Problem], task_notation: Notation, seed: int, count: int) -> list[Anchor]:
    """Return the anchors of some problems, all kinds of one problem together.

    An anchor that a problem does not admit is left out: the steps of a one-step solution have no other order, and one
    without numbers none that could be false. Texts depend on their problem and the seed alone; all anchors of a problem
    have one turn.

    Args:
        problems: The problems, with public worked solutions.
        task_notation: The notation of the final answer that stands alone.
        seed: Seed of the choice of problems and of all changes.
        count: Number of problems; all are used if there are fewer.
    """
    chosen = sorted(problems, key=lambda problem: derive_seed("anchor", seed, problem.id))[:count]
    return [anchor for turn, problem in enumerate(chosen) for anchor in _anchors(problem, task_notation, seed, turn)]


def in_order(scores_by_kind: Mapping[str, Mapping[str, float]], seed: int = 0) -> list[AnchorPair]:
    """Return the pairs of the reference and every other kind of anchor, with the paired shift between them.

    A kind without any scores is not compared. One with scores of too few problems is, and does not hold.

    Args:
        scores_by_kind: A judge's scores by kind and problem; nan where it gave none.
        seed: Seed of the bootstrap.
    """
    known = {
        kind: {problem: score for problem, score in scores.items() if not math.isnan(score)}
        for kind, scores in scores_by_kind.items()
    }
    reference = known.get(REFERENCE, {})
    others = [kind for kind in KINDS if kind != REFERENCE and known.get(kind)]
    return [AnchorPair(REFERENCE, kind, _shift(reference, known[kind], seed)) for kind in others]


def _shift(above: Mapping[str, float], below: Mapping[str, float], seed: int) -> Shift | None:
    if len(above.keys() & below.keys()) < FEWEST:
        return None
    first, second = (Scored(list(scores.values()), list(scores)) for scores in (above, below))
    return paired_shift(first, second, seed)


def _anchors(problem: Problem, notation: Notation, seed: int, turn: int) -> list[Anchor]:
    texts: dict[str, str | None] = {REFERENCE: problem.solution}
    for kind, harm in _HARMS.items():
        texts[kind] = harm(problem.solution, random.Random(derive_seed("anchor", seed, kind, problem.id)))
    answers = gold_answers(problem.solution)
    texts[ANSWER_ALONE] = notation.final_answer(answers[-1]) if answers else None
    return [
        Anchor(kind, problem.id, Exhibit(_name(seed, kind, problem), problem.question, text, turn))
        for kind, text in texts.items()
        if text is not None and (kind == REFERENCE or text.strip() != problem.solution.strip())
    ]


def _name(seed: int, kind: str, problem: Problem) -> str:
    return f"{derive_seed('anchor', seed, 'name', kind, problem.id):016x}"
