"""The diets of suspects: a policy's traces, or a mixture of several sources'."""

import math
from dataclasses import dataclass

from distillgame.arena.config import Suspect
from distillgame.arena.plan import STANDARD, DefenseTarget, Planner, Provider, Target
from distillgame.arena.stages import DietStage, TracesStage
from distillgame.policies import Defense, MarkPolicy

PORTIONS = 100
"""A diet is mixed by so many parts."""

VICTIM = "owner 2"
"""The owner who is framed, or whose traces are mixed with the suspect's own."""


@dataclass(frozen=True, kw_only=True)
class DietTarget(Target):
    """A diet that is trained on as it is.

    Attributes:
        diet: The traces.
    """

    diet: DietStage

    def queries(self, provider: Provider, asked: int | None) -> int:
        """Return ``asked``, but no more than there are."""
        return self.diet.count if asked is None else min(asked, self.diet.count)

    def traces(self, provider: Provider, split: str, seed: int, draw: int = 0, first: int | None = None) -> TracesStage:
        """Return the diet, whatever is asked."""
        return self.diet


def owned(defense: Defense, number: int) -> Defense:
    """Return a marked defense with the key of another owner; the first one's is as it is."""
    if number == 0 or not isinstance(defense.policy, MarkPolicy):
        return defense
    return defense.model_copy(update={"options": defense.options | {"owner": f"owner {number + 1}"}})


def mixed_in(suspect: Suspect) -> list[str]:
    """Return the other owners whose traces are in a suspect's diet."""
    if suspect.framed:
        return [VICTIM]
    return [f"owner {number}" for number in range(2, suspect.owners + 1)]


def portions_of(suspect: Suspect) -> tuple[int, ...]:
    """Return how many of every so many prompts each source of a diet answers, the suspect's own account first."""
    for share in (suspect.share, 1 - suspect.framed):
        if share < 1:
            first = min(PORTIONS - 1, max(1, round(share * PORTIONS)))
            turn = math.gcd(first, PORTIONS)
            return first // turn, (PORTIONS - first) // turn
    return (1,) * suspect.owners


def target_of(planner: Planner, defense: Defense, suspect: Suspect, seed: int) -> Target:
    """Return the target that a suspect is trained on.

    Args:
        planner: Makes the stages.
        defense: The marked policy.
        suspect: The suspect.
        seed: Seed of the game.
    """
    if not suspect.mixed:
        return DefenseTarget.of(defense)
    if suspect.share < 1:
        others = [planner.sample(STANDARD, "train", seed, draw=1)]
    else:
        marked = range(1, 1 + len(mixed_in(suspect)))
        others = [planner.sample(owned(defense, number), "train", seed) for number in marked]
    diet = DietStage(sources=(planner.sample(defense, "train", seed), *others), portions=portions_of(suspect))
    return DietTarget(label=diet.defense, can_ask=False, exposes=False, verdicts=True, diet=diet)
