"""Try students on the validation split: those of the lineup one by one, and compositions of them in a race."""

from collections.abc import Sequence
from dataclasses import replace

from distillgame.arena.plan import Lineup, Round, pairs, rungs
from distillgame.arena.results import ScoreReader
from distillgame.arena.run import Run
from distillgame.arena.stages import SampleStage
from distillgame.students import StudentChoice

Trials = Sequence[dict[str, SampleStage]]
"""For each round, the stages in which its students are tried, by label."""

Accuracies = list[dict[str, float]]
"""For each round, accuracies on the validation split, by label."""


def validated(lineup: Lineup, run: Run) -> Accuracies:
    """Return each round's accuracies on the validation split, by which the strongest students are chosen.

    If the game searches for compositions, the lineup gains those that reached the last rung of the race.
    """
    if not lineup.is_chosen:
        return []
    found = _tried([lineup.trials(played) for played in lineup.rounds], run)
    if lineup.config.search.trainings:
        found = _raced(lineup, run, found)
    return found


def _tried(trials: Trials, run: Run) -> Accuracies:
    run.compute([stage for tried in trials for stage in tried.values()])
    reader = ScoreReader(run.store)
    return [{label: float(reader.read([stage]).correct.mean()) for label, stage in tried.items()} for tried in trials]


def _raced(lineup: Lineup, run: Run, alone: Accuracies) -> Accuracies:
    """Let compositions race rung by rung, all rounds side by side, and return the last rung's accuracies, too."""
    racing = [pairs(lineup.attackers(played), known) for played, known in zip(lineup.rounds, alone, strict=True)]
    found: Accuracies = [{} for _ in lineup.rounds]
    trained = [0 for _ in lineup.rounds]
    for share, width in rungs(lineup.config.search.trainings):
        parts = [played.part(share) for played in lineup.rounds]
        racing = [_able(lineup, part, choices)[:width] for part, choices in zip(parts, racing, strict=True)]
        trials = [
            {choice.label: lineup.trial(part, choice) for choice in choices}
            for part, choices in zip(parts, racing, strict=True)
        ]
        found = _tried(trials, run)
        trained = [count + len(known) for count, known in zip(trained, found, strict=True)]
        racing = [_ranked(choices, known) for choices, known in zip(racing, found, strict=True)]
    lineup.rounds = [
        replace(played, composed=tuple(choices), given_up=count - len(choices))
        for played, choices, count in zip(lineup.rounds, racing, trained, strict=True)
    ]
    return [single | composed for single, composed in zip(alone, found, strict=True)]


def _able(lineup: Lineup, part: Round, choices: Sequence[StudentChoice]) -> list[StudentChoice]:
    return [choice for choice in choices if lineup.lacks(part, choice) is None]


def _ranked(choices: Sequence[StudentChoice], accuracies: dict[str, float]) -> list[StudentChoice]:
    return sorted(choices, key=lambda choice: -accuracies[choice.label])
