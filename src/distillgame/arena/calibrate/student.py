"""The tilt eta at which an adaptive student spends its budget rho."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distillgame.arena.calibrate.policy import file_name, require_playable
from distillgame.arena.config import GameConfig
from distillgame.arena.plan import DefenseTarget, Planner
from distillgame.arena.precision import settled
from distillgame.arena.run import Run
from distillgame.arena.stages import read_report
from distillgame.arena.store import write_text
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, PolicyChoice
from distillgame.stats import OutOfReachError, Trial, find_root
from distillgame.students import StudentChoice

FIRST = 1.0
"""A first guess at eta."""

TOLERANCE = 0.02
"""Relative distance to rho at which the search ends: each trial is a training."""


@dataclass(frozen=True)
class CalibratedStudent:
    """A tilt, and the KL that the student spends at it.

    Attributes:
        choice: The student with the eta that was found.
        rho: The budget, in nats: the mean KL of minibatch weights to uniform.
        trials: The KL that trainings spent on the pilot seed, in order.
        pilot: The KL that the chosen eta spent there.
        fresh: The KL that it spends on the game's other seeds, which the search has not seen; empty if there are none.
    """

    choice: StudentChoice
    rho: float
    trials: list[Trial]
    pilot: float
    fresh: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "student": {self.choice.name: self.choice.options},
            "rho": self.rho,
            "trials": [vars(trial) for trial in self.trials],
            "pilot": self.pilot,
            "fresh": self.fresh,
        }


def calibrate_student(
    config: GameConfig,
    policy: PolicyChoice,
    rho: float,
    out: Path,
    progress: bool = True,
    report: Callable[[str], None] = lambda text: None,
) -> CalibratedStudent:
    """Search the adaptive student's eta on a policy's traces: each trial is a training with the game's first seed.

    rho is the mean KL of the minibatch weights to uniform, over a whole training. Weights tilt prompt and completion
    together, where the game tilts completions alone, so this rho also pays for which prompts are weighed up. The result
    is also written to ``calibrated-POLICY-rho-RHO.json``.

    Args:
        config: The game.
        policy: Whose traces the student learns from.
        rho: The budget, in nats per minibatch.
        out: The run's folder; trainings that a killed search had finished are not repeated.
        progress: Whether to show progress on standard error.
        report: Told of each trial.

    Raises:
        DistillgameError: If rho is not above 0, cannot be spent, or an input is bad.
    """
    if not 0 < rho < float("inf"):
        raise DistillgameError(f"rho: must be a number above 0 (found {rho})")
    most = float(np.log(config.training.batch_size * config.training.accumulate))
    if rho >= most:
        raise DistillgameError(f"rho: {rho:g} cannot be spent; a minibatch's weights spend less than {most:.4g} nats")
    require_playable(policy, config)
    if config.splits.get("holdout", 0) < 1:
        raise DistillgameError("splits.holdout: needed for the adaptive student's validation objective")
    config = settled(config, out, progress)
    planner, target = Planner(config), DefenseTarget.of(Defense(name=policy.name, options=policy.options))
    with Run(out, config, progress) as run:

        def spent(eta: float, seeds: list[int]) -> list[float]:
            stages = [planner.distill(target, _adaptive(eta), seed) for seed in seeds]
            run.compute(stages, last=True)
            return [read_report(run.folder(stage)).rho for stage in stages]

        def measure(eta: float) -> float:
            (value,) = spent(eta, config.seeds[:1])
            report(f"eta {eta:g}: rho {value:.4g} nats")
            return value

        try:
            trials = find_root(measure, rho, Trial(0.0, 0.0), FIRST, tolerance=TOLERANCE * rho)
        except OutOfReachError as error:
            best = error.best
            raise DistillgameError(f"rho: {rho:g} is not spent; eta {best.x:g} spends {best.y:.4g}") from error
        best = min(trials, key=lambda trial: abs(trial.y - rho))
        fresh = spent(best.x, config.seeds[1:]) if len(config.seeds) > 1 else []
        result = CalibratedStudent(_adaptive(best.x), rho, trials, best.y, fresh)
        write_text(out / file_name(policy, f"rho={rho:g}"), json.dumps(result.as_dict(), indent=1) + "\n")
    return result


def _adaptive(eta: float) -> StudentChoice:
    return StudentChoice(name="adaptive", options={"eta": eta})
