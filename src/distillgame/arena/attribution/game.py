"""The game of attribution: make suspects under every mark, wash or frame some, and see whom the tests name."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from distillgame.arena.attribution.diets import mixed_in, target_of
from distillgame.arena.attribution.keys import game_keys
from distillgame.arena.attribution.readings import readings
from distillgame.arena.config import EvidenceKind, GameConfig, Suspect, load_config
from distillgame.arena.plan import Planner, in_epoch, lacking, share_vocabulary
from distillgame.arena.precision import settled
from distillgame.arena.results import Scores
from distillgame.arena.run import Run
from distillgame.arena.stages import POSITIONS, TRACES, ReadStage, SampleStage, Stage
from distillgame.arena.store import write_text
from distillgame.attribution import UNUSED_KEYS, Attributor, OwnerKey, read_positions, require_different
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, MarkPolicy
from distillgame.records import read_traces
from distillgame.records.suspects import RATES, MarkRow, SuspectResults, SuspectRow

RESULTS = "attribution.json"
"""The file of the results."""


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

    def keys(self, count: int, kind: EvidenceKind | None = None) -> list[OwnerKey]:
        """Return the keys that are tested: the owner's, those of other owners in its diet, then strangers'.

        Every suspect and kind of evidence has strangers of its own, so that false alarms are independent trials.

        Args:
            count: Number of keys, if no more owners are in the diet.
            kind: The kind of evidence.
        """
        policy = in_epoch(self.defense, self.seed).policy
        assert isinstance(policy, MarkPolicy)
        names = [policy.owner, *mixed_in(self.suspect)]
        names += [f"stranger {number} to {self.suspect.name}, {kind}" for number in range(len(names), count)]
        return game_keys(self.defense, policy, names)


def play_attribution(config: GameConfig, out: Path, progress: bool = True) -> SuspectResults:
    """Play the game and write ``attribution.json``; a killed run goes on where it stopped.

    Args:
        config: The game; its marked policies are played, and the others are there to be compared with.
        out: The run's folder.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If there are no suspects or no marks, or an input is bad.
    """
    if not config.attribution.suspects:
        raise DistillgameError("attribution.suspects: the configuration names none: try configs/attribution.yaml")
    marked = [defense for defense in config.policies if isinstance(defense.policy, MarkPolicy)]
    if not marked:
        raise DistillgameError("policies: none leaves a mark: add keyed, watermark or fingerprint")
    if config.sampling.temperature == 0:
        raise DistillgameError("sampling.temperature: greedy text carries no mark")
    config = settled(config, out, progress)
    trials = [
        _trial(config, defense, suspect, seed)
        for defense in marked
        for suspect in config.attribution.suspects
        for seed in config.seeds
    ]
    for trial in trials:
        require_different(trial.keys(config.attribution.keys), f"policy '{trial.defense.label}'")
    planner = Planner(config)
    released = {d.label: [planner.sample(d, "test", seed) for seed in config.seeds] for d in config.policies}
    wanted: list[Stage] = [stage for stages in released.values() for stage in stages]
    wanted += [trial.evaluation for trial in trials]
    wanted += [stage for trial in trials for read in trial.readings.values() for stage in read.values()]
    with Run(out, config, progress) as run:
        run.compute(wanted, last=True)
        results = SuspectResults(
            command=" ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:]]),
            keys=config.attribution.keys,
            alpha=config.attribution.alpha,
            marks=[_mark_row(label, stages, run) for label, stages in released.items()],
            suspects=_suspect_rows(config, trials, run),
        )
        write_text(out / "config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        results.write(out / RESULTS)
    return results


def _trial(config: GameConfig, defense: Defense, suspect: Suspect, seed: int) -> Trial:
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


def _mark_row(label: str, stages: list[SampleStage], run: Run) -> MarkRow:
    traces = [read_traces(run.folder(stage) / TRACES) for stage in stages]
    summary = Scores(traces).summary([stage.seed for stage in stages])
    flat = [trace for seed in traces for trace in seed]
    return MarkRow(
        policy=label,
        accuracy=summary["accuracy"],
        standard_error=summary["standard_error"],
        kl_per_trace=float(np.mean([trace.kl for trace in flat if trace.kl is not None])),
        bits_per_trace=-float(np.mean([trace.logprob_released for trace in flat])) / math.log(2),
    )


def _suspect_rows(config: GameConfig, trials: list[Trial], run: Run) -> list[SuspectRow]:
    rows: dict[tuple[str, str, str], list[tuple[Trial, EvidenceKind]]] = {}
    for trial in trials:
        for kind in trial.readings:
            rows.setdefault((trial.defense.label, trial.suspect.name, kind), []).append((trial, kind))
    return [_suspect_row(config, name, members, run) for name, members in rows.items()]


def _suspect_row(
    config: GameConfig, name: tuple[str, str, str], members: list[tuple[Trial, EvidenceKind]], run: Run
) -> SuspectRow:
    z, p_values, named, strangers = [], [], [], np.empty(0)
    for trial, kind in members:
        policy = trial.defense.policy
        assert isinstance(policy, MarkPolicy)
        read = {owner: run.folder(stage) / POSITIONS for owner, stage in trial.readings[kind].items()}
        positions = {(owner, policy.width): read_positions(path) for owner, path in read.items()}
        attributor = Attributor(positions, UNUSED_KEYS)
        found = attributor.attribute(trial.keys(config.attribution.keys, kind), config.attribution.alpha)
        own = found.keys[0]
        z.append(own.z)
        p_values.append(own.p_value)
        named.append(_outcome(found.owners, policy.owner))
        others = found.keys[1 + len(mixed_in(trial.suspect)) :]
        strangers = np.append(strangers, [row.p_value for row in others])
    scores = Scores([read_traces(run.folder(trial.evaluation) / TRACES) for trial, _ in members])
    return SuspectRow(
        policy=name[0], suspect=name[1], evidence=name[2], seeds=[trial.seed for trial, _ in members],
        accuracy=float(scores.correct.mean()), z=z, p_values=p_values, named=named,
        false_alarms=[int((strangers <= rate).sum()) for rate in RATES], tests=len(strangers),
    )  # fmt: skip


def _outcome(owners: list[str], owner: str) -> str:
    if not owners:
        return "nobody"
    if len(owners) > 1:
        return "inconclusive"
    return "owner" if owners == [owner] else "wrong"
