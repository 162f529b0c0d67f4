"""Play a game from end to end."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
import yaml

from distillgame.arena.collect import Collector
from distillgame.arena.config import GameConfig
from distillgame.arena.display import Live, Silent
from distillgame.arena.plan import Planner
from distillgame.arena.reading import load_config
from distillgame.arena.schedule import Pool, execute, in_order
from distillgame.arena.stages import SampleStage, Stage
from distillgame.arena.store import Store, full_disk_is_an_error, lock, write_text
from distillgame.errors import DistillgameError
from distillgame.models import require_alignable
from distillgame.records import Results
from distillgame.report import draw_frontier, markdown_summary

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
    with lock(root):
        planner, store = Planner(game), Store(root, pick_device(game))
        run_stages(planner.game(), store, game, progress)
        results = Collector(planner, store).results(_command())
        with full_disk_is_an_error(root):
            write_text(root / "config.yaml", yaml.safe_dump(game.model_dump(mode="json"), sort_keys=False))
            draw_frontier(results, root / "frontier.png")
            write_text(root / "summary.md", markdown_summary(results))
            results.write(root / "results.json")
    return results


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
    return 1 if device == "cuda" else min(MOST_WORKERS, len(os.sched_getaffinity(0)))


def _command() -> str:
    program, *arguments = sys.argv
    return " ".join([Path(program).name or "python", *arguments])
