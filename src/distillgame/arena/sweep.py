"""Play a grid: policies at several strengths, students, seeds, numbers of queries; and attack traces from elsewhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillgame.arena.config import GameConfig, default_folder, load_config
from distillgame.arena.plan import GivenTarget, Planner
from distillgame.arena.play import play_rounds
from distillgame.arena.stages import GivenStage
from distillgame.errors import DistillgameError
from distillgame.policies import Defense
from distillgame.records import Results, read_verdicts, released_traces


def sweep(
    config: str | Path | Mapping[str, Any] | GameConfig | None = "sweep",
    out: str | Path | None = None,
    *,
    quick: bool = False,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Results:
    """Play every policy of a game at every strength, against every student, with every seed and number of queries.

    Each combination is a stage or a few, independent of the others; a sweep that was killed goes on where it stopped,
    and shares finished stages with a game in the same folder. Of each defense and number of queries the strongest
    student is chosen on the validation split with the first seed.

    Args:
        config: As :func:`distillgame.play`; its ``sweep`` section says what is added to the game.
        out: The run's folder.
        quick: Apply the configuration's ``quick`` section.
        overrides: Dotted names and values that replace the configuration's.
        progress: Whether to show progress on standard error.

    Returns:
        What is also written to ``results.json``, with the files that :func:`distillgame.play` writes.

    Raises:
        DistillgameError: As :func:`distillgame.play`.
    """
    game = load_config(config, quick=quick, overrides=overrides)
    if game.splits.get("validation", 0) < 2:
        raise DistillgameError("splits.validation: the strongest student is chosen there; at least 2 problems")
    root = Path(out) if out is not None else default_folder(config, quick)
    return play_rounds(widened(game), root, progress, queries=game.sweep.queries, choose=True)


def widened(game: GameConfig) -> GameConfig:
    """The game with the strengths of its ``sweep`` section among its policies."""
    policies = list(game.policies)
    for defense in game.policies:
        for parameter, values in game.sweep.strengths.get(defense.name, {}).items():
            policies += [defense.model_copy(update={"options": defense.options | {parameter: v}}) for v in values]
    unique = {defense.label: defense for defense in policies}
    ordered = sorted(unique.values(), key=lambda defense: _place(game, defense))
    # Checked anew: a strength may not be acceptable.
    return load_config(game, overrides={"policies": [defense.model_dump() for defense in ordered]})


def attack(
    traces: str | Path,
    config: str | Path | Mapping[str, Any] | GameConfig | None = "suite",
    out: str | Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Results:
    """Run a suite of students on traces that somebody else released.

    Args:
        traces: A Parquet, JSON Lines or JSON file with a ``messages`` column, ``finish_reason`` where known, and
            ``correct`` where answers are public. Students that need more than that are left out.
        config: Says which suite, base model, trainer, objective and task; its policies are not played.
        out: The run's folder; ``runs/attack-NAME-HASH`` by default.
        overrides: Dotted names and values that replace the configuration's.
        progress: Whether to show progress on standard error.

    Returns:
        Rows of students; there is no teacher to be measured.

    Raises:
        DistillgameError: If the file or the configuration is bad, or the configuration names no suite.
    """
    game = load_config(config, overrides=overrides)
    if game.suite is None:
        raise DistillgameError("suite: the configuration names none, and it is what attacks; set suite=standard")
    given = GivenStage.of(Path(traces))
    _require_attackable(given, game)
    root = Path(out) if out is not None else attack_folder(given)
    return play_rounds(game, root, progress, targets=[GivenTarget.of(given)])


def attack_folder(given: GivenStage) -> Path:
    """The folder of an attack that was given none: many files are called the same."""
    return Path("runs") / f"attack-{Path(given.path).stem[:60]}-{given.digest[:8]}"


def _require_attackable(given: GivenStage, game: GameConfig) -> None:
    """Check what would be noticed only after hours, or never.

    Raises:
        DistillgameError: If students would be graded on what they were taught, or the objective has no examples.
    """
    if game.attacker.objective == "clean":
        raise DistillgameError("attacker.objective: 'clean' needs undefended traces, and only a file is given")
    if game.attacker.objective == "released" and not any(read_verdicts(Path(given.path)) or []):
        raise DistillgameError(f"{given.path}: objective 'released' needs a column 'correct' with right answers")
    task, planner = game.task.task, Planner(game)
    asked = {json.dumps(trace.messages[:-1]) for trace in released_traces(Path(given.path))}
    for split in ("validation", "test"):
        known = [json.dumps(task.messages(problem)) for problem in planner.problems(split).load()]
        shared = sum(question in asked for question in known)
        if shared:
            raise DistillgameError(
                f"{given.path}: asks {shared} problems of the {split} split, on which students are graded; set another "
                "split_seed, or leave those traces out"
            )


def _place(game: GameConfig, defense: Defense) -> tuple[int, list[str]]:
    """Policies in the order of the game, strengths in their own."""
    names = [policy.name for policy in game.policies]
    numbers = [f"{value:020.6f}" for value in defense.options.values() if isinstance(value, int | float)]
    return names.index(defense.name), numbers
