"""One suspect of the game: how it is made, by which texts it is tested, and on which keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from distillgame.arena.attribution.diets import mixed_in, target_of
from distillgame.arena.attribution.keys import game_keys
from distillgame.arena.attribution.readings import readings
from distillgame.arena.config import EvidenceKind, GameConfig, Suspect, load_config
from distillgame.arena.plan import Planner, in_epoch, lacking, share_vocabulary
from distillgame.arena.stages import ReadStage, SampleStage
from distillgame.attribution import OwnerKey
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, MarkPolicy


@dataclass(frozen=True)
class Trial:
    """One suspect under one policy with one seed.

    Attributes:
        defense: The policy.
        suspect: The suspect.
        seed: The seed.
        evaluation: Its answers to the test split.
        readings: The stages of evidence, by kind, and by the owner whose texts are read.
    """

    defense: Defense
    suspect: Suspect
    seed: int
    evaluation: SampleStage
    readings: Mapping[EvidenceKind, Mapping[str | None, ReadStage]]

    def keys(self, count: int, kind: EvidenceKind) -> list[OwnerKey]:
        """Return the keys that are tested: the owner's, those of other owners in its diet, then strangers'.

        Every policy, suspect and kind of evidence has strangers of its own, so that no key is tested twice.

        Args:
            count: Number of keys, if no more owners are in the diet.
            kind: The kind of evidence.
        """
        policy = in_epoch(self.defense, self.seed).policy
        assert isinstance(policy, MarkPolicy)
        names = [policy.owner, *mixed_in(self.suspect)]
        case = f"{self.suspect.name}, {kind}, {self.defense.label}"
        names += [f"stranger {number} to {case}" for number in range(len(names), count)]
        return game_keys(self.defense, policy, names)


def make_trial(config: GameConfig, defense: Defense, suspect: Suspect, seed: int) -> Trial:
    """Return a trial.

    Args:
        config: The game.
        defense: The marked policy.
        suspect: The suspect.
        seed: The seed.

    Raises:
        DistillgameError: If the suspect needs what the game does not give.
    """
    own = load_config(config, overrides=suspect.set) if suspect.set else config
    planner = Planner(own)
    target = target_of(planner, defense, suspect, seed)
    if suspect.queries is not None and suspect.queries > own.splits["train"]:
        raise DistillgameError(
            f"attribution.suspects: '{suspect.name}' asks for {suspect.queries} traces of {own.splits['train']}"
        )
    count = target.queries(planner, suspect.queries)
    lacks = lacking(
        suspect.student, target, count, own, suspect.student.student.needs.logprobs and share_vocabulary(own)
    )
    if lacks is not None:
        raise DistillgameError(
            f"attribution.suspects: '{suspect.name}' needs {lacks}, which '{target.label}' does not give"
        )
    evaluation = planner.evaluate(target, suspect.student, "test", seed, suspect.queries)
    training = None
    if suspect.student.student.trains:
        training = planner.distill(target, suspect.student, seed, suspect.queries)
    read = {kind: readings(planner, defense, suspect, training, kind, seed) for kind in own.attribution.evidence}
    if any(stage.texts.count == 0 for stages in read.values() for stage in stages.values()):
        raise DistillgameError(
            f"attribution.suspects: '{suspect.name}': of {count} traces, none is left for one of its sources"
        )
    return Trial(defense, suspect, seed, evaluation, read)
