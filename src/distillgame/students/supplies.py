"""What a student is handed: released traces, and what it asked for beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace


@dataclass(frozen=True)
class ReleasedLogprobs:
    """Log-probabilities that a server exposed with a trace: of the released distribution, never of the reference.

    Attributes:
        token_ids: The sampled tokens, in the teacher's vocabulary.
        top_ids: At each position the likeliest tokens, likeliest first.
        top_logprobs: Their log-probabilities under pi_rel, after temperature, in nats.
    """

    token_ids: Sequence[int]
    top_ids: Sequence[Sequence[int]]
    top_logprobs: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Supplies:
    """What a student may use. All sequences but the last three go trace by trace.

    Attributes:
        traces: The released traces.
        further: More draws of the same prompts, one sequence a further draw.
        verdicts: Whether each trace's final answer is right.
        pass_rates: How many of how many own completions of each trace's problem were right.
        rewrites: Rewritings of each trace, in the order they were sampled.
        logprobs: What the server exposed with each trace.
        references: Public worked solutions.
        proxy: The defender's proxy.
        temperature: The temperature at which the traces were sampled, which the attacker asked for.
        final_answer: Writes an answer as the task writes its last line.
    """

    traces: Sequence[ReleasedTrace] = ()
    further: Sequence[Sequence[ReleasedTrace]] = ()
    verdicts: Sequence[bool] = ()
    pass_rates: Sequence[tuple[int, int]] = ()
    rewrites: Sequence[Sequence[ReleasedTrace]] = ()
    logprobs: Sequence[ReleasedLogprobs] = ()
    references: Sequence[ReleasedTrace] = ()
    proxy: LanguageModel | None = None
    temperature: float = 1.0
    final_answer: Callable[[str], str] = str.strip
