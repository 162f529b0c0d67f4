"""Play a game from end to end."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from distillgame.arena.config.game import GameConfig
from distillgame.arena.config.load import load_config
from distillgame.arena.plan.lineup import Lineup, Round, Target, defenses_of
from distillgame.arena.plan.planner import Planner
from distillgame.arena.results.collector import Collector
from distillgame.arena.results.files import write_outputs
from distillgame.arena.results.scores import Answers
from distillgame.arena.results.viewer import value_stage, view
from distillgame.arena.run.display import Live, Silent
from distillgame.arena.run.scheduler import Pool, execute, in_order
from distillgame.arena.run.store import Store, full_disk_is_an_error, lock, write_text
from distillgame.arena.stages import TRACES, SampleStage, Stage
from distillgame.errors import DistillgameError
from distillgame.models import require_alignable
from distillgame.records import Results, read_outcomes

TEST = "test"
"""The split that a game reports."""

MOST_WORKERS = 8
"""``auto`` starts no more worker processes than this."""


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
        config: A YAML file, the name of a shipped configuration, or plain data; None plays the embedded world.
        out: The run's folder; ``runs/NAME`` by default.
        quick: Apply the configuration's ``quick`` section.
        overrides: Dotted names and values that replace the configuration's.
        progress: Whether to show progress on standard error.

    Returns:
        What is also written to ``results.json``; beside it are ``summary.md``, ``frontier.png``, ``config.yaml`` and
        the folder ``stages`` with all traces (Parquet) and trained students.

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
) -> Results:
    """Play a game's students against some targets and write what :func:`play` writes.

    Args:
        game: The game.
        root: The run's folder.
        progress: Whether to show progress on standard error.
        targets: What is attacked; the game's defenses by default.
        queries: Numbers of traces that students ask for; all of the training split by default.
        choose: Choose the strongest student of each round on the validation split also without a suite.
    """
    with lock(root):
        planner, store = Planner(game), Store(root, pick_device(game))
        lineup = Lineup(planner, targets, queries, choose)
        with make_pool(store, game) as pool:
            rounds = _choose(lineup, store, game, progress, pool)
            run_stages(list(_reported(lineup, rounds)), store, game, progress, pool)
        results = Collector(planner, store).results(_command(), lineup, rounds)
        with full_disk_is_an_error(root):
            write_text(root / "config.yaml", yaml.safe_dump(game.model_dump(mode="json"), sort_keys=False))
            write_outputs(results, view(planner, store, defenses_of(rounds)), root)
    return results


def _choose(lineup: Lineup, store: Store, game: GameConfig, progress: bool, pool: Pool) -> list[Round]:
    """The rounds, with the accuracies on the validation split by which the strongest students are chosen."""
    if not lineup.is_chosen:
        return lineup.rounds
    trials = [lineup.trials(played) for played in lineup.rounds]
    run_stages([stage for tried in trials for stage in tried.values()], store, game, progress, pool)
    return [
        replace(
            played,
            validation={
                label: float(Answers([read_outcomes(store.folder(stage) / TRACES)]).correct.mean())
                for label, stage in tried.items()
            },
        )
        for played, tried in zip(lineup.rounds, trials, strict=True)
    ]


def expected_stages(lineup: Lineup) -> list[Stage]:
    """All stages of a game before anything is chosen; the headline students' other seeds stand for whoever is."""
    if not lineup.is_chosen:
        return list(_reported(lineup, lineup.rounds))
    assumed = [
        replace(played, validation={choice.label: 0.0 for choice in lineup.attackers(played)})
        for played in lineup.rounds
    ]
    trials = [stage for played in lineup.rounds for stage in lineup.trials(played).values()]
    return [*trials, *_reported(lineup, assumed)]


def _reported(lineup: Lineup, rounds: Sequence[Round]) -> Iterator[Stage]:
    """All results that a game reports on the test split."""
    planner = lineup.planner
    defenses = defenses_of(rounds)
    for defense in defenses:
        for seed in planner.config.seeds:
            yield planner.release(defense, TEST, seed)
        valued = value_stage(planner, defense, TEST)
        if valued is not None:
            yield valued
    for played in rounds:
        yield from lineup.stages(played, TEST)
    if defenses:
        yield planner.cost()


def run_stages(
    stages: Sequence[Stage], store: Store, config: GameConfig, progress: bool, pool: Pool | None = None
) -> None:
    """Compute what is missing of ``stages``, with as many workers as the configuration says.

    Args:
        stages: The stages whose results are wanted.
        store: Where results are kept.
        config: The game.
        progress: Whether to show progress on standard error.
        pool: Workers that are there already, for callers that run stages again and again.

    Raises:
        DistillgameError: If a teacher and a proxy cannot be aligned (before anything runs), a stage fails, or the disk
            is full.
    """
    missing = [stage for stage in in_order(stages) if isinstance(stage, SampleStage) and not store.has(stage)]
    for teacher, proxy in {(stage.model, proxy) for stage in missing for proxy in stage.proxies.values()}:
        require_alignable(teacher.spec, proxy.spec)
    with full_disk_is_an_error(store.root), ExitStack() as stack:
        workers = pool or stack.enter_context(make_pool(store, config))
        execute(stages, workers, stack.enter_context(Live()) if progress else Silent())


def make_pool(store: Store, config: GameConfig) -> Pool:
    """As many workers as the configuration says."""
    return Pool(store, pick_workers(config, store.device))


def default_folder(config: object, quick: bool = False) -> Path:
    """The folder of a run that was given none: ``runs/`` and the configuration's name."""
    name = Path(config).stem if isinstance(config, str | Path) else "embedded" if config is None else "game"
    return Path("runs") / (f"{name}-quick" if quick else name)


def pick_device(config: GameConfig) -> str:
    """The device to run on.

    Raises:
        DistillgameError: If a GPU is asked for and there is none.
    """
    asked = config.compute.device
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise DistillgameError("compute.device: 'cuda' is asked for, but PyTorch finds no GPU; use 'auto' or 'cpu'")
    return asked


def pick_workers(config: GameConfig, device: str) -> int:
    """The number of worker processes."""
    if config.compute.workers != "auto":
        return config.compute.workers
    return torch.cuda.device_count() if device == "cuda" else min(MOST_WORKERS, len(os.sched_getaffinity(0)))


def _command() -> str:
    program, *arguments = sys.argv
    return " ".join([Path(program).name or "python", *arguments])
