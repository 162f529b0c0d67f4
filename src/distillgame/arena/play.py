"""Play a game from end to end."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from distillgame.arena.config import GameConfig, default_folder, load_config
from distillgame.arena.plan import Lineup, Planner, Target
from distillgame.arena.precision import settled
from distillgame.arena.results import collect, view, write_outputs
from distillgame.arena.run import Run
from distillgame.arena.store import write_text
from distillgame.arena.validate import validated
from distillgame.records import Results


def play(
    config: str | Path | Mapping[str, Any] | GameConfig | None = None,
    out: str | Path | None = None,
    *,
    quick: bool = False,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Results:
    """Play the distillation game: sample under every policy, train every student, evaluate both sides.

    A run that was killed goes on where it stopped when it is called again with the same folder; a finished stage is
    never computed twice.

    Args:
        config: A YAML file, the name of a shipped configuration, or plain data; None plays the default game.
        out: The run's folder; ``runs/NAME`` by default.
        quick: Apply the configuration's ``quick`` section.
        overrides: Dotted names and values that replace the configuration's.
        progress: Whether to show progress on standard error.

    Returns:
        The results, which are also written to ``results.json``; beside it are ``summary.md``, ``frontier.png``,
        ``config.yaml`` and the folder ``stages`` with all traces (Parquet) and, if ``compute.keep_students`` says so,
        trained students.

    Raises:
        DistillgameError: If the configuration or an input is bad, a stage fails, or the disk is full.
    """
    game = load_config(config, quick=quick, overrides=overrides)
    root = Path(out) if out is not None else default_folder(config, quick)
    return play_rounds(game, root, progress)


def play_rounds(
    game: GameConfig,
    root: Path,
    progress: bool,
    targets: Sequence[Target] | None = None,
    queries: Sequence[int] = (),
    choose: bool = False,
    before: str = "",
) -> Results:
    """Play a game's students against some targets and write what :func:`play` writes.

    Args:
        game: The game.
        root: The run's folder.
        progress: Whether to show progress on standard error.
        targets: What is attacked; the game's defenses by default.
        queries: Numbers of traces that students ask for; all of the training split by default.
        choose: Choose the strongest student of each round on the validation split also without a suite.
        before: The command that had played a run to which this one adds.
    """
    if targets is None:
        game = settled(game, root, progress)
    with Run(root, game, progress) as run:
        lineup = Lineup(Planner(game), targets, queries, choose)
        plan = lineup.plan(validated(lineup, run))
        run.compute(plan.stages, last=True)
        results = collect(plan, run.store, "; ".join(filter(None, [before, _command()])))
        write_text(root / "config.yaml", yaml.safe_dump(game.model_dump(mode="json"), sort_keys=False))
        write_outputs(results, view(plan, run.store), root)
    return results


def _command() -> str:
    program, *arguments = sys.argv
    return " ".join([Path(program).name or "python", *arguments])
