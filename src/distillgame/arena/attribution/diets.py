"""The stages of one suspect: its diet, its training, and the texts by which it is found out."""

from dataclasses import dataclass

from distillgame.arena.config import EvidenceKind, Suspect
from distillgame.arena.plan import STANDARD, DefenseTarget, Planner, Provider, Target
from distillgame.arena.stages import DietStage, DistillStage, ReadStage, SampleStage, TracesStage
from distillgame.policies import Defense, MarkPolicy

PORTIONS = 100
"""A diet is mixed per so many prompts."""

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
        portions = _portions(suspect.share)
    elif suspect.framed:
        others = [planner.sample(owned(defense, 1), "train", seed)]
        portions = _portions(1 - suspect.framed)
    else:
        others = [planner.sample(owned(defense, number), "train", seed) for number in range(1, suspect.owners)]
        portions = (1,) * suspect.owners
    diet = DietStage(sources=(planner.sample(defense, "train", seed), *others), portions=portions)
    return DietTarget(label=diet.defense, can_ask=False, exposes=False, verdicts=True, diet=diet)


def reading(
    planner: Planner, defense: Defense, training: DistillStage | None, kind: EvidenceKind, seed: int
) -> ReadStage:
    """Return the stage that reads texts for the preferences of a suspect.

    Args:
        planner: Makes the stages, with the suspect's base model as the student.
        defense: The policy whose owner's key is tested.
        training: What made the suspect; None if nothing did.
        kind: The kind of evidence.
        seed: Seed of the game.
    """
    policy = defense.policy
    released = planner.sample(defense, "train", seed)
    prompts = planner.sample(STANDARD, "train", seed, draw=1)
    held_out = planner.sample(STANDARD, "validation", planner.config.seeds[0])
    known: dict[str, object] = {} if kind == "samples" else {"trained": training}
    if kind != "samples" and training is None:
        known = {"suspect": planner.model("student")}
    texts = {"released": released, "prompts": prompts, "held_out": held_out}.get(kind) or _answers(
        planner, training, seed
    )
    return ReadStage(
        texts=texts,
        reference=planner.model("teacher"),
        temperature=planner.config.sampling.temperature,
        width=policy.width if isinstance(policy, MarkPolicy) else 4,
        **known,
    )


def _answers(planner: Planner, training: DistillStage | None, seed: int) -> SampleStage:
    """Return what a suspect answers to the owner's prompts, at temperature 1."""
    asking = planner.config.evaluation.model_copy(update={"temperature": 1.0, "forced_answer_tokens": 0})
    return SampleStage(
        problems=planner.problems("train"),
        model=planner.model("student"),
        trained=training,
        policy=STANDARD.without_form,
        sampling=asking,
        seed=seed,
    )


def _portions(share: float) -> tuple[int, ...]:
    first = min(PORTIONS - 1, max(1, round(share * PORTIONS)))
    return first, PORTIONS - first
