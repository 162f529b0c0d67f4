"""From a configuration to the stages that play it."""

from collections.abc import Iterator
from dataclasses import dataclass

from distillgame.arena.config import GameConfig, NamedChoice
from distillgame.arena.stages import (
    CostStage,
    DistillStage,
    GradientStage,
    Model,
    ProblemSet,
    SampleStage,
    Stage,
)
from distillgame.errors import DistillgameError
from distillgame.policies import make_policy
from distillgame.students import make_student

STANDARD = NamedChoice(name="standard")


@dataclass(frozen=True)
class Planner:
    """Makes the stages of one game.

    Args:
        config: The game.
        resolve: Whether models and problems are looked up, so that stages can be run and not only described.
    """

    config: GameConfig
    resolve: bool = True

    def sample(self, policy: NamedChoice, split: str, seed: int) -> SampleStage:
        """Sample a split from the teacher under a policy."""
        made = make_policy(policy.name, policy.options)
        proxies = list(made.proxies) if made.needs_proxy or made.needs_delta else []
        return SampleStage(
            problems=self.problems(split),
            model=self.model("teacher"),
            policy=policy,
            proxies={name: self.proxy(name) for name in proxies},
            gradients={name: self.gradient(name, seed) for name in proxies if made.needs_delta},
            sampling=self.config.sampling,
            seed=seed,
        )

    def gradient(self, proxy: str, seed: int) -> GradientStage:
        """The defender's gradient at one of its proxies."""
        clean = self.config.defender.objective == "clean"
        return GradientStage(
            proxy=self.proxy(proxy),
            objective=self.config.defender.objective,
            problems=self.problems("defender"),
            traces=self.sample(STANDARD, "defender", seed) if clean else None,
        )

    def distill(self, policy: NamedChoice, student: NamedChoice, seed: int) -> DistillStage:
        """Train a student on a policy's traces."""
        needs_values = make_student(student.name, student.options).needs_values
        objective = self.config.attacker.objective if needs_values else None
        holdout_policy = {"released": policy, "clean": STANDARD}.get(objective or "")
        return DistillStage(
            student=student,
            base=self.model("student"),
            traces=self.sample(policy, "train", seed),
            objective=objective,
            holdout=self.problems("holdout") if objective == "reference" else None,
            holdout_traces=self.sample(holdout_policy, "holdout", seed) if holdout_policy else None,
            training=self.config.training,
            seed=seed,
        )

    def evaluate(self, policy: NamedChoice, student: NamedChoice, split: str, seed: int) -> SampleStage:
        """Let a student answer a split; an untrained one answers without having seen anything."""
        trains = make_student(student.name, student.options).trains
        greedy = self.config.evaluation.temperature == 0
        return SampleStage(
            problems=self.problems(split),
            model=self.model("student"),
            trained=self.distill(policy, student, seed) if trains else None,
            policy=STANDARD,
            sampling=self.config.evaluation,
            seed=0 if greedy else seed,
        )

    def cost(self) -> CostStage:
        """Time all policies."""
        deriving = [policy.proxies for policy in self.config.make_policies() if policy.needs_delta]
        seed = self.config.seeds[0]
        return CostStage(
            problems=self.problems("test"),
            teacher=self.model("teacher"),
            proxies={name: self.proxy(name) for name in self.config.all_proxies},
            gradients={name: self.gradient(name, seed) for names in deriving for name in names},
            policies=tuple(self.config.policies),
            sampling=self.config.sampling,
            settings=self.config.cost,
        )

    def problems(self, split: str) -> ProblemSet:
        """A split of the task."""
        return ProblemSet.of(self.config, split, self.resolve)

    def model(self, role: str) -> Model:
        """The model in a role: ``teacher`` or ``student``."""
        return Model.of(getattr(self.config, role), self.resolve)

    def proxy(self, name: str) -> Model:
        """One of the defender's proxies."""
        known = self.config.all_proxies
        if name not in known:
            raise DistillgameError(f"the configuration has no proxy '{name}', and this policy needs it")
        return Model.of(known[name], self.resolve)

    def game(self, split: str = "test") -> list[Stage]:
        """All results that a game reports."""
        return [*self._rows(split), self.cost()]

    def _rows(self, split: str) -> Iterator[Stage]:
        for seed in self.config.seeds:
            for policy in self.config.policies:
                yield self.sample(policy, split, seed)
                for student in self.config.students:
                    yield self.evaluate(policy, student, split, seed)
