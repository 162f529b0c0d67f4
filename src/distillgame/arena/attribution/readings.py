"""The texts by which the suspects of a game are found out."""

from distillgame.arena.attribution.diets import mixed_in, owned, portions_of
from distillgame.arena.config import EvidenceKind, Suspect
from distillgame.arena.plan import STANDARD, Planner
from distillgame.arena.stages import DistillStage, PortionStage, ReadStage, SampleStage, TracesStage
from distillgame.policies import Defense, MarkPolicy


def readings(
    planner: Planner, defense: Defense, suspect: Suspect, training: DistillStage | None, kind: EvidenceKind, seed: int
) -> dict[str | None, ReadStage]:
    """Return the stages that read texts for the preferences of a suspect, by the owner whose texts they are.

    Under None are the texts on which all other keys are tested: those of the suspect's own account, as a provider reads
    them who suspects it.

    Args:
        planner: Makes the stages, with the suspect's base model as the student.
        defense: The marked policy.
        suspect: The suspect.
        training: What made it; None if nothing did.
        kind: The kind of evidence.
        seed: Seed of the game.
    """
    texts: dict[str | None, TracesStage]
    if kind == "held_out":
        texts = {None: planner.sample(STANDARD, "validation", planner.config.seeds[0])}
    elif kind == "samples":
        texts = {None: _answers(planner, suspect, training, seed)}
    else:
        owners: list[str | None] = [None, *mixed_in(suspect)]
        texts = {owner: _asked(planner, defense, suspect, n, kind, seed) for n, owner in enumerate(owners)}
    policy, known = defense.policy, _known(planner, training, kind)
    width = policy.width if isinstance(policy, MarkPolicy) else 4
    temperature = planner.config.sampling.temperature
    return {
        owner: ReadStage(texts=each, reference=planner.model("teacher"), temperature=temperature, width=width, **known)
        for owner, each in texts.items()
    }


def _asked(
    planner: Planner, defense: Defense, suspect: Suspect, number: int, kind: EvidenceKind, seed: int
) -> TracesStage:
    """Return what one source of the diet asked for: as it was released, or answered again without a mark.

    Of several draws or rounds it is the first. A suspect that asked for nothing is tested on the account's whole split.
    """
    first, portions = _first(planner, suspect), portions_of(suspect)
    if kind == "released":
        traces = planner.sample(owned(defense, number), "train", seed, first=first)
    else:
        traces = planner.sample(STANDARD, "train", seed, draw=1, first=first)
    return traces if portions == (1,) else PortionStage(traces=traces, portions=portions, which=number)


def _known(planner: Planner, training: DistillStage | None, kind: EvidenceKind) -> dict[str, object]:
    """Return what is known of the suspect: its weights, or nothing but what it writes."""
    if kind == "samples":
        return {}
    return {"suspect": planner.model("student")} if training is None else {"trained": training}


def _first(planner: Planner, suspect: Suspect) -> int | None:
    """Return how many prompts a suspect asked first; None for all."""
    needs, whole = suspect.student.student.needs, planner.config.splits["train"]
    first = (suspect.queries or whole) // (needs.draws * needs.rounds)
    return first if needs.traces and first < whole else None


def _answers(planner: Planner, suspect: Suspect, training: DistillStage | None, seed: int) -> SampleStage:
    """Return what a suspect answers to the owner's prompts, at temperature 1."""
    problems, first = planner.problems("train"), _first(planner, suspect)
    asking = planner.config.evaluation.model_copy(update={"temperature": 1.0, "forced_answer_tokens": 0})
    return SampleStage(
        problems=problems if first is None else problems.part(0, first),
        model=planner.model("student"),
        trained=training,
        policy=STANDARD.without_form,
        sampling=asking,
        seed=seed,
    )
