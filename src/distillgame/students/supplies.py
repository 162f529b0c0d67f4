"""The supplies of a student: what it asks for, and what it is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from distillgame.choices import NamedChoice
from distillgame.models import LanguageModel
from distillgame.records import ReleasedLogprobs, ReleasedTrace


@dataclass(frozen=True)
class Inversion:
    """The way to an inverter, a model that writes a whole solution from a prompt and the solution's reduction.

    It learns from public solutions, and from completions of the asked prompts by a student of those solutions.

    Attributes:
        draws: Completions per prompt.
        expansions: Expansions per trace.
        rate: That student's learning rate, as a share of the settings': it has to take up the method and to forget
            nothing else, such as the names that are asked about.
    """

    draws: int
    expansions: int
    rate: float


@dataclass(frozen=True)
class Needs:
    """The supplies that a student asks for besides released traces.

    Attributes:
        traces: Whether it needs released traces at all.
        draws: Traces per prompt; with k of them it asks 1/k of the prompts, so that its queries stay the same.
        rounds: Rounds of queries, its option of that name: in each but the first, it asks about what a student like it
            with a round less gets wrong.
        verdicts: Whether each trace's final answer is right, which an attacker can tell where answers are public.
        references: Public worked solutions to train on.
        own_samples: Completions per prompt by its own base model, graded.
        rewrites: Rewritings per trace by its own base model or, where it has a reader, the reader's completions.
        paraphraser: Whether it is a third model that rewrites.
        inversion: The way to an inverter, if it asks for expansions by one.
        logprobs: Released log-probabilities of the likeliest tokens at each position.
        proxy: The defender's proxy.
        reader: Another student of the same traces, which it makes use of.
    """

    traces: bool = True
    draws: int = 1
    rounds: int = 1
    verdicts: bool = False
    references: bool = False
    own_samples: int = 0
    rewrites: int = 0
    paraphraser: bool = False
    inversion: Inversion | None = None
    logprobs: bool = False
    proxy: bool = False
    reader: NamedChoice | None = None

    @property
    def asks_own(self) -> bool:
        """True if a model of the attacker's answers the asked problems."""
        return self.rounds > 1 or self.own_samples > 0 or (self.inversion is not None and self.inversion.draws > 0)

    @property
    def level(self) -> Literal["text", "assisted", "informed"]:
        """The level of the threat model at which a student with these needs is compared with others."""
        if self.logprobs or self.proxy:
            return "informed"
        return "assisted" if self.references else "text"


@dataclass(frozen=True)
class Supplies:
    """Everything that a student may use.

    Sequences have one entry per trace, ``further`` has such a sequence per further draw, and ``references``, ``later``
    and ``mistaken`` stand for themselves.

    Attributes:
        traces: The released traces.
        further: More draws of the same prompts.
        later: The traces of all rounds of queries after the first.
        mistaken: The wrong answer to each of those prompts by the student that asked; None where it was right.
        verdicts: Whether each trace's final answer is right.
        pass_rates: Right completions and all completions of the base model on each trace's problem.
        rewrites: Rewritings of each trace, or a reader's completions of its prompt, in the order they were sampled.
        expansions: Expansions of each trace by an inverter, in the order they were sampled.
        logprobs: The log-probabilities that the server exposed with each trace.
        references: Public worked solutions.
        proxy: The defender's proxy.
        reader: A trained student of the traces.
        temperature: The temperature at which the traces were sampled; the attacker asked for it.
        final_answer: Writes an answer as the task writes its last line.
    """

    traces: Sequence[ReleasedTrace] = ()
    further: Sequence[Sequence[ReleasedTrace]] = ()
    later: Sequence[ReleasedTrace] = ()
    mistaken: Sequence[ReleasedTrace | None] = ()
    verdicts: Sequence[bool] = ()
    pass_rates: Sequence[tuple[int, int]] = ()
    rewrites: Sequence[Sequence[ReleasedTrace]] = ()
    expansions: Sequence[Sequence[ReleasedTrace]] = ()
    logprobs: Sequence[ReleasedLogprobs] = ()
    references: Sequence[ReleasedTrace] = ()
    proxy: LanguageModel | None = None
    reader: LanguageModel | None = None
    temperature: float = 1.0
    final_answer: Callable[[str], str] = str.strip
