"""The schema of the report's trace viewer: one problem under each defense, token by token."""

from distillgame.strict import Strict


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
    """

    defense: str
    pieces: list[str]
    kl: list[float]
    value: float | None
    total_kl: float | None
    answer: str | None
    correct: bool
    finish_reason: str


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
