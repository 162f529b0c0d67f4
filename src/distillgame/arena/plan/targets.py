"""The targets of an attack: defenses of the game, and traces from elsewhere."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from distillgame.arena.plan.provider import Provider
from distillgame.arena.stages import GivenStage, SampleStage, TracesStage
from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.policies import Defense

FULL = NamedChoice(name="full")
"""The form of whole completions."""

EXPOSED = 20
"""Released log-probabilities at each position that a server exposes, as common servers do."""


@dataclass(frozen=True, kw_only=True)
class Target(ABC):
    """Something that is attacked.

    Attributes:
        label: A name for tables.
        can_ask: Whether the attacker can ask it anything, further draws of a prompt for example.
        exposes: Whether released log-probabilities can be had.
        verdicts: Whether the attacker can tell which answers are right.
        is_control: Whether it is a policy that is there to be compared with.
        proxies: Names of the proxies that defend it, as far as they are known.
        form: The form in which completions are released, which anybody can see.
    """

    label: str
    can_ask: bool
    exposes: bool
    verdicts: bool
    is_control: bool = False
    proxies: tuple[str, ...] = ()
    form: NamedChoice = FULL

    @abstractmethod
    def queries(self, provider: Provider, asked: int | None) -> int:
        """Return the number of traces that a student gets if it asks for ``asked``; None asks for all."""

    @abstractmethod
    def traces(self, provider: Provider, split: str, seed: int, draw: int = 0, first: int | None = None) -> TracesStage:
        """Return the traces that a student asks for.

        Args:
            provider: The game's provider.
            split: The problems.
            seed: Seed of the game.
            draw: Which of several draws of the same prompts.
            first: Ask only the first so many problems.
        """

    def later(
        self, provider: Provider, seed: int, answers: SampleStage, before: tuple[TracesStage, ...], queries: int
    ) -> TracesStage:
        """Return the traces of one more round of queries.

        Args:
            provider: The game's provider.
            seed: Seed of the game.
            answers: The answers of the student of the rounds before to the whole training split.
            before: The traces of those rounds, of which the first ``queries`` each were asked for.
            queries: How many traces are asked for.

        Raises:
            DistillgameError: If it cannot be asked.
        """
        raise DistillgameError(f"'{self.label}' cannot be asked anything")

    def exposed(self, provider: Provider, split: str, seed: int) -> SampleStage | None:
        """Return the same traces with released log-probabilities, where they can be had."""
        return None


@dataclass(frozen=True, kw_only=True)
class DefenseTarget(Target):
    """A defense of the game, which answers whatever it is asked.

    Attributes:
        defense: The defense.
    """

    defense: Defense

    @classmethod
    def of(cls, defense: Defense) -> Self:
        """Return the target of a defense."""
        policy = defense.policy
        return cls(
            label=defense.label,
            can_ask=True,
            # Where less than the completion is released, there are no log-probabilities of it.
            exposes=defense.form.name == "full",
            verdicts=True,
            is_control=policy.control,
            proxies=policy.proxy_names,
            form=defense.form,
            defense=defense,
        )

    def queries(self, provider: Provider, asked: int | None) -> int:
        """Return ``asked``, or the size of the training split."""
        return provider.config.splits["train"] if asked is None else asked

    def traces(self, provider: Provider, split: str, seed: int, draw: int = 0, first: int | None = None) -> TracesStage:
        """Return a sample of the teacher in the form in which the defense releases it."""
        return provider.release(self.defense, split, seed, draw, first)

    def later(
        self, provider: Provider, seed: int, answers: SampleStage, before: tuple[TracesStage, ...], queries: int
    ) -> TracesStage:
        """Return a sample of the teacher about what the student gets wrong."""
        return provider.ask(self.defense, seed, answers, before, queries)

    def exposed(self, provider: Provider, split: str, seed: int) -> SampleStage | None:
        """Return the same sample with log-probabilities, where completions are released in full."""
        return provider.sample(self.defense, split, seed, exposed=EXPOSED) if self.exposes else None


@dataclass(frozen=True, kw_only=True)
class GivenTarget(Target):
    """Traces from elsewhere; whoever released them is not asked again.

    Attributes:
        stage: The traces.
    """

    stage: GivenStage

    @classmethod
    def of(cls, stage: GivenStage) -> Self:
        """Return the target of given traces."""
        return cls(label=stage.defense, can_ask=False, exposes=stage.exposes, verdicts=stage.verdicts, stage=stage)

    def queries(self, provider: Provider, asked: int | None) -> int:
        """Return ``asked``, but no more than there are."""
        return self.stage.count if asked is None else min(asked, self.stage.count)

    def traces(self, provider: Provider, split: str, seed: int, draw: int = 0, first: int | None = None) -> TracesStage:
        """Return the given traces, whatever is asked."""
        return self.stage
