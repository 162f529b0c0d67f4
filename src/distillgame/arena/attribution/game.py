"""The game of attribution: make suspects under every mark, wash or frame some, and see whom the tests name."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from distillgame.arena.attribution.diets import mixed_in
from distillgame.arena.attribution.trial import Trial, make_trial
from distillgame.arena.config import EvidenceKind, GameConfig
from distillgame.arena.plan import Planner
from distillgame.arena.precision import settled
from distillgame.arena.results import Scores, legibility_rows
from distillgame.arena.run import Run
from distillgame.arena.stages import JUDGED, POSITIONS, TRACES, JudgeStage, SampleStage, Stage
from distillgame.arena.store import write_text
from distillgame.attribution import Attributor, read_positions, require_different
from distillgame.errors import DistillgameError
from distillgame.policies import MarkPolicy
from distillgame.records import MeanScore, read_judged, read_traces
from distillgame.records.suspects import RATES, MarkRow, SuspectResults, SuspectRow

RESULTS = "attribution.json"
"""The file of the results."""


def play_attribution(config: GameConfig, out: Path, progress: bool = True) -> SuspectResults:
    """Play the game and write ``attribution.json``; a killed run goes on where it stopped.

    Args:
        config: The game; its marked policies are played, and the others are there to be compared with. Its judges read
            what all of them release.
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
        make_trial(config, defense, suspect, seed)
        for defense in marked
        for suspect in config.attribution.suspects
        for seed in config.seeds
    ]
    for trial in trials:
        for kind in trial.readings:
            require_different(trial.keys(config.attribution.keys, kind), f"policy '{trial.defense.label}'")
    planner = Planner(config)
    released = {d.label: [planner.sample(d, "test", seed) for seed in config.seeds] for d in config.policies}
    judging = [planner.judge(choice, "test", config.policies) for choice in config.judge.judges]
    wanted: list[Stage] = [*(stage for stages in released.values() for stage in stages), *judging]
    wanted += [trial.evaluation for trial in trials]
    wanted += [stage for trial in trials for read in trial.readings.values() for stage in read.values()]
    with Run(out, config, progress) as run:
        run.compute(wanted, last=True)
        results = SuspectResults(
            command=" ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:]]),
            keys=config.attribution.keys,
            alpha=config.attribution.alpha,
            marks=_mark_rows(released, judging, run),
            suspects=_suspect_rows(config, trials, run),
        )
        write_text(out / "config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        results.write(out / RESULTS)
    return results


def _mark_rows(released: Mapping[str, list[SampleStage]], judging: list[JudgeStage], run: Run) -> list[MarkRow]:
    scores: dict[str, dict[str, MeanScore]] = {label: {} for label in released}
    for stage in judging:
        for row in legibility_rows(stage.judge.label, read_judged(run.folder(stage) / JUDGED)):
            if row.auditability is not None:
                scores[row.defense][row.judge] = row.auditability
    return [_mark_row(label, stages, scores[label], run) for label, stages in released.items()]


def _mark_row(label: str, stages: list[SampleStage], auditability: dict[str, MeanScore], run: Run) -> MarkRow:
    traces = [read_traces(run.folder(stage) / TRACES) for stage in stages]
    summary = Scores(traces).summary([stage.seed for stage in stages])
    flat = [trace for seed in traces for trace in seed]
    return MarkRow(
        policy=label,
        accuracy=summary["accuracy"],
        standard_error=summary["standard_error"],
        kl_per_trace=float(np.mean([trace.kl for trace in flat if trace.kl is not None])),
        bits_per_trace=-float(np.mean([trace.logprob_released for trace in flat])) / math.log(2),
        auditability=auditability,
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
        found = Attributor(positions).attribute(trial.keys(config.attribution.keys, kind), config.attribution.alpha)
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
