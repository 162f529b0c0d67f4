"""The schema of the report's trace viewer: one problem under each defense, token by token."""

from typing import Literal

from pydantic import Field

from distillgame.records.judgements import MarkedStatement
from distillgame.strict import Strict


class ViewedFact(Strict):
    """A private fact that a trace gives away, or a falsehood about it.

    Attributes:
        name: What it is about.
        kind: ``stated``, ``derivable``, or ``false``.
        start: The first character of the trace that says so, or from which it follows.
        end: The one after the last.
    """

    name: str
    kind: Literal["stated", "derivable", "false"]
    start: int
    end: int


class ViewedJudgement(Strict):
    """A judge's word on a trace.

    Attributes:
        judge: The judge with its options.
        scores: Scores by criterion.
        reasons: Reasons by criterion, where the judge gives some.
        failure: Why there is no score, if there is none.
    """

    judge: str
    scores: dict[str, float]
    reasons: dict[str, str]
    failure: str | None


class ViewedTrace(Strict):
    """One trace, cut into the pieces that were measured.

    Attributes:
        defense: The teacher row's ``defense``.
        pieces: The released text in pieces, one per token if it was released as it was sampled; else one piece.
        kl: KL(pi_rel‖pi_ref) at each piece, in nats; empty if not measured (greedy decoding, or another form).
        value: v_gap of the whole trace, the value released, in nats; None without a proxy.
        total_kl: Sum of the KL over the trace, in nats; None with greedy decoding.
        answer: The answer found in it.
        correct: Whether that answer is right.
        finish_reason: ``stop`` or ``length``.
        facts: The private facts in it, where the task has some.
        statements: The statements in it that were checked.
        judgements: What judges say about it.
    """

    defense: str
    pieces: list[str]
    kl: list[float]
    value: float | None
    total_kl: float | None
    answer: str | None
    correct: bool
    finish_reason: str
    facts: list[ViewedFact] = Field(default_factory=list)
    statements: list[MarkedStatement] = Field(default_factory=list)
    judgements: list[ViewedJudgement] = Field(default_factory=list)


class ViewedProblem(Strict):
    """One problem and what each defense released for it.

    Attributes:
        id: The problem's id.
        question: The problem's text.
        reference: The public worked solution.
        traces: One per defense, in the order of the table.
    """

    id: str
    question: str
    reference: str
    traces: list[ViewedTrace]
