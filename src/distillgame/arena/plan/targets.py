"""The targets of an attack: defenses of the game, and traces from elsewhere."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from distillgame.arena.plan.provider import Provider
from distillgame.arena.stages import GivenStage, SampleStage, TracesStage
from distillgame.policies import Defense

EXPOSED = 20
"""Released log-probabilities at each position that a server exposes, as common servers do."""


class Target(ABC):
    """Something that is attacked.

    Attributes:
        can_ask: Whether the attacker can ask it what it likes: further draws of a prompt, for example.
    """

    can_ask: bool = True

    @property
    @abstractmethod
    def label(self) -> str:
        """A name for tables."""

    @property
    @abstractmethod
    def exposes(self) -> bool:
        """True if released log-probabilities can be had."""

    @property
    @abstractmethod
    def verdicts(self) -> bool:
        """True if the attacker can tell which answers are right."""

    @property
    def is_control(self) -> bool:
        """True for a policy that is there to be compared with."""
        return False

    @property
    def proxies(self) -> tuple[str, ...]:
        """Names of the proxies that defend it, as far as they are known."""
        return ()

    @abstractmethod
    def queries(self, provider: Provider, asked: int | None) -> int:
        """Return how many traces a student gets that asks for ``asked``, or for all there are."""

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

    def exposed(self, provider: Provider, split: str, seed: int) -> SampleStage | None:
        """Return the same traces with released log-probabilities, where they can be had."""
        return None


@dataclass(frozen=True)
class DefenseTarget(Target):
    """A defense of the game, which answers whatever it is asked.

    Attributes:
        defense: The defense.
    """

    defense: Defense

    @property
    def label(self) -> str:
        """The policy with its options and its form."""
        return self.defense.label

    @property
    def exposes(self) -> bool:
        """True if completions are released in full: of any other form there are no log-probabilities."""
        return self.defense.form.name == "full"

    @property
    def verdicts(self) -> bool:
        """True: the attacker asks problems of a public task."""
        return True

    @property
    def is_control(self) -> bool:
        """True for a control policy."""
        return self.defense.policy.control

    @property
    def proxies(self) -> tuple[str, ...]:
        """Names of the policy's proxies."""
        return self.defense.policy.proxy_names

    def queries(self, provider: Provider, asked: int | None) -> int:
        """Return ``asked``, or the whole training split."""
        return provider.config.splits["train"] if asked is None else asked

    def traces(self, provider: Provider, split: str, seed: int, draw: int = 0, first: int | None = None) -> TracesStage:
        """Return a sample of the teacher in the form in which the defense releases it."""
        return provider.release(self.defense, split, seed, draw, first)

    def exposed(self, provider: Provider, split: str, seed: int) -> SampleStage | None:
        """Return the same sample with log-probabilities, where completions are released in full."""
        return provider.sample(self.defense, split, seed, exposed=EXPOSED) if self.exposes else None


@dataclass(frozen=True)
class GivenTarget(Target):
    """Traces from elsewhere; whoever released them is not asked again.

    Attributes:
        stage: The traces.
    """

    can_ask = False
    stage: GivenStage

    @property
    def label(self) -> str:
        """The file's name."""
        return self.stage.defense

    @property
    def exposes(self) -> bool:
        """True if the traces carry log-probabilities."""
        return self.stage.exposes

    @property
    def verdicts(self) -> bool:
        """True if the file says which answers are right."""
        return self.stage.verdicts

    def queries(self, provider: Provider, asked: int | None) -> int:
        """Return ``asked``, but no more than there are."""
        return self.stage.count if asked is None else min(asked, self.stage.count)

    def traces(self, provider: Provider, split: str, seed: int, draw: int = 0, first: int | None = None) -> TracesStage:
        """Return the given traces, whatever is asked."""
        return self.stage
