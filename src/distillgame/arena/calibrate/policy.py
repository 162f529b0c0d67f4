"""The strength at which a policy meets a budget, verified on fresh samples."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from distillgame.arena.calibrate.budgets import Budget, Estimate
from distillgame.arena.config import GameConfig, require_proxies
from distillgame.arena.plan import STANDARD, VALIDATION, Planner
from distillgame.arena.precision import settled
from distillgame.arena.run import Run
from distillgame.arena.stages import TRACES, SampleStage
from distillgame.arena.store import write_text
from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.policies import Knob, PolicyChoice, policies
from distillgame.records import read_traces
from distillgame.stats import OutOfReachError, Trial, find_root

FRESH = 1_000_000
"""Added to the seeds of fresh samples, so that they share no random number with the pilot's."""


@dataclass(frozen=True)
class Calibrated:
    """A strength and how well it meets its budget.

    Attributes:
        choice: The policy with the strength that was found.
        budget: The budget that it was to meet.
        trials: The measurements on the pilot, in order, the undefended teacher first.
        pilot: The chosen strength on the pilot, which it was fitted to.
        fresh: The same on problems and random numbers that the search has not seen.
    """

    choice: PolicyChoice
    budget: Budget
    trials: list[Trial]
    pilot: Estimate
    fresh: Estimate

    @property
    def met(self) -> bool:
        """True if the budget lies within the fresh samples' confidence interval."""
        low, high = self.fresh.interval
        return low <= self.budget.goal <= high

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "policy": {self.choice.name: self.choice.options},
            "budget": vars(self.budget),
            "measures": self.budget.measures,
            "trials": [vars(trial) for trial in self.trials],
            "pilot": vars(self.pilot),
            "fresh": vars(self.fresh),
            "met": self.met,
        }


def calibrate_policy(
    config: GameConfig,
    policy: PolicyChoice,
    budget: Budget,
    out: Path,
    pilot: int = 500,
    fresh: int = 2000,
    progress: bool = True,
    report: Callable[[str], None] = lambda text: None,
) -> Calibrated:
    """Search a policy's strength on a pilot, with common random numbers, and measure it on fresh samples.

    Pilot and fresh samples come from disjoint halves of the validation split; the test split is never read. Every
    strength that was tried is a stage of the run's folder: a killed search goes on where it was, and another budget
    finds what it can use. The result is also written to ``calibrated-POLICY-BUDGET.json``.

    Args:
        config: The game.
        policy: The policy with all its parameters but the one that is searched (:attr:`ReleasePolicy.knob`).
        budget: The budget to meet.
        out: The run's folder.
        pilot: Number of pilot traces, about.
        fresh: Number of fresh traces, about.
        progress: Whether to show progress on standard error.
        report: Told of each trial.

    Raises:
        DistillgameError: If the policy is unknown or has no strength, the budget cannot be met, or an input is bad.
    """
    knob = _knob(policy)
    if config.splits.get(VALIDATION, 0) < 4:
        raise DistillgameError(f"splits.{VALIDATION}: calibrating needs at least 4 problems")
    if min(pilot, fresh) < 2:
        raise DistillgameError("pilot and fresh: at least 2 traces are needed")
    if config.sampling.temperature == 0:
        raise DistillgameError("sampling.temperature: 0 leaves nothing to budget; sample at a temperature above 0")
    neutral = knob.neutral(config.sampling.temperature)
    require_playable(_at(policy, knob, neutral + knob.first), config)
    config = settled(config, out, progress)
    with Run(out, config, progress) as run:
        search = _Search(config, policy, knob, budget, run)
        start = Trial(neutral, search.estimate(STANDARD, pilot, is_fresh=False).value)

        def measure(x: float) -> float:
            found = search.estimate(search.at(x), pilot, is_fresh=False)
            report(f"{knob.parameter} {x:g}: {budget.describe(found)}")
            return found.value

        if budget.goal <= start.y:
            raise DistillgameError(
                f"{budget.label}: without any defense the pilot has {search.describe(start)} already"
            )
        try:
            trials = find_root(measure, budget.goal, start, knob.first, knob.most, budget.tolerance)
        except OutOfReachError as error:
            reached = f"{search.describe(error.best)} at {knob.parameter} {error.best.x:g}"
            raise DistillgameError(f"{budget.label}: cannot be met; policy '{policy.name}' has {reached}") from error
        best = min(trials, key=lambda trial: abs(trial.y - budget.goal))
        choice = search.at(best.x)
        result = Calibrated(
            choice=choice,
            budget=budget,
            trials=[start, *trials],
            pilot=search.estimate(choice, pilot, is_fresh=False),
            fresh=search.estimate(choice, fresh, is_fresh=True),
        )
        write_text(out / file_name(policy, budget.label), json.dumps(result.as_dict(), indent=1) + "\n")
    return result


class _Search:
    """Samples the traces that are measured."""

    def __init__(self, config: GameConfig, policy: PolicyChoice, knob: Knob, budget: Budget, run: Run):
        self.policy, self.knob, self.budget, self.run = policy, knob, budget, run
        self.config, self.planner = config, Planner(config)

    def at(self, x: float) -> PolicyChoice:
        """Return the policy at a strength."""
        return _at(self.policy, self.knob, x)

    def estimate(self, choice: PolicyChoice, traces: int, is_fresh: bool) -> Estimate:
        """Measure a policy on about so many traces."""
        stages = self._stages(choice, traces, is_fresh)
        missing = [stage for stage in stages if not self.run.store.has(stage)]
        if missing:
            self.run.compute(missing)
        return self.budget.measure([read_traces(self.run.folder(stage) / TRACES) for stage in stages])

    def describe(self, trial: Trial) -> str:
        """Return a measurement as text, without its error."""
        return self.budget.describe(Estimate(trial.y, 0.0, 0, (trial.y, trial.y))).partition(" (")[0]

    def _stages(self, choice: PolicyChoice, traces: int, is_fresh: bool) -> list[SampleStage]:
        """Return stages that sample one half of the split, as often as it takes, each with other random numbers."""
        size = self.config.splits[VALIDATION]
        half = size // 2
        start, available = (half, size - half) if is_fresh else (0, half)
        rounds = -(-traces // available)
        count = -(-traces // rounds)
        result = []
        for i in range(rounds):
            seed = self.config.seeds[i % len(self.config.seeds)]
            stage = self.planner.sample(choice, VALIDATION, seed)
            changes = {"problems": stage.problems.part(start, start + count), "seed": i + (FRESH if is_fresh else 0)}
            result.append(stage.model_copy(update=changes))
        return result


def _at(policy: PolicyChoice, knob: Knob, x: float) -> PolicyChoice:
    return PolicyChoice(name=policy.name, options=policy.options | {knob.parameter: x})


def require_playable(choice: PolicyChoice, config: GameConfig) -> None:
    """Check that a game has what a policy needs, whether or not it lists the policy.

    Raises:
        DistillgameError: If a proxy or the defender's holdout is missing.
    """
    made = choice.policy
    try:
        require_proxies(made, config.all_proxies)
    except ValueError as error:
        raise DistillgameError(str(error)) from error
    if made.needs_delta and config.splits.get("defender", 0) < 1:
        raise DistillgameError("splits.defender: needed for the defender's gradient")


def _knob(policy: PolicyChoice) -> Knob:
    knob: Knob | None = getattr(policies.get(policy.name), "knob", None)
    if knob is None:
        raise DistillgameError(f"policy '{policy.name}' has no strength to calibrate")
    if knob.parameter in policy.options:
        raise DistillgameError(f"policy '{policy.name}': {knob.parameter} is what is searched; leave it out")
    return knob


def file_name(policy: NamedChoice, goal: str) -> str:
    """Return the name of the file, in a run's folder, that keeps a result."""
    slug = re.sub(r"[^a-zA-Z0-9.]+", "-", f"{policy.label} {goal}").strip("-")
    return f"calibrated-{slug[:200]}.json"


def as_yaml(choice: NamedChoice) -> str:
    """Return a choice as a line of a configuration."""
    options = yaml.safe_dump(choice.options, default_flow_style=True, sort_keys=False, width=float("inf"))
    return f"- {choice.name}: {options.strip()}"
