"""From a configuration to the stages that play it."""

from dataclasses import dataclass

from distillgame.arena.config.game import GameConfig
from distillgame.arena.stages import (
    CostStage,
    DistillStage,
    FormStage,
    GivenStage,
    GradientStage,
    Model,
    ProblemSet,
    RewriteStage,
    SampleStage,
    Source,
)
from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, make_policy
from distillgame.students import Student, make_student

STANDARD = Defense(name="standard")
UNDEFENDED = STANDARD.without_form

EXPOSED = 20
"""Released log-probabilities at each position that a server exposes, as common servers do."""


@dataclass(frozen=True)
class Planner:
    """Makes the stages of one game.

    Args:
        config: The game.
        resolve: Whether models and problems are looked up, so that stages can be run and not only described.
    """

    config: GameConfig
    resolve: bool = True

    def sample(
        self, policy: NamedChoice, split: str, seed: int, draw: int = 0, first: int | None = None, exposed: int = 0
    ) -> SampleStage:
        """Sample a split from the teacher under a policy, in full.

        Args:
            policy: The release policy.
            split: What is asked.
            seed: Seed of the random streams.
            draw: Which of several draws.
            first: Ask only the first so many problems of the split.
            exposed: How many log-probabilities the server exposes at each position.
        """
        made = make_policy(policy.name, policy.options)
        proxies = made.proxy_names
        problems = self.problems(split)
        return SampleStage(
            problems=problems if first is None else problems.part(0, first),
            model=self.model("teacher"),
            policy=policy.without_form if isinstance(policy, Defense) else policy,
            proxies={name: self.proxy(name) for name in proxies},
            gradients={name: self.gradient(name, seed) for name in proxies if made.needs_delta},
            sampling=self.config.sampling.model_copy(update={"top_logprobs": exposed}),
            seed=seed,
            draw=draw,
        )

    def release(
        self, defense: NamedChoice, split: str, seed: int, draw: int = 0, first: int | None = None
    ) -> SampleStage | FormStage:
        """Sample a split under a defense, in the form in which it is released."""
        sampled = self.sample(defense, split, seed, draw, first)
        if not isinstance(defense, Defense) or defense.form.name == "full":
            return sampled
        return FormStage(traces=sampled, form=defense.form)

    def gradient(self, proxy: str, seed: int) -> GradientStage:
        """The defender's gradient at one of its proxies."""
        clean = self.config.defender.objective == "clean"
        return GradientStage(
            proxy=self.proxy(proxy),
            objective=self.config.defender.objective,
            problems=self.problems("defender"),
            traces=self.sample(UNDEFENDED, "defender", seed) if clean else None,
        )

    def distill(
        self, defense: NamedChoice | GivenStage, student: NamedChoice, seed: int, queries: int | None = None
    ) -> DistillStage:
        """Train a student on a defense's traces, or on given ones.

        Args:
            defense: Whose traces.
            student: Who learns.
            seed: Seed of the game.
            queries: How many traces it may ask for; all of the training split by default.
        """
        made = make_student(student.name, student.options)
        needs, split = made.needs, "train"
        # Who cannot be played on given traces is left out by the lineup.
        assert not (isinstance(defense, GivenStage) and (needs.draws > 1 or needs.own_samples or needs.logprobs))
        traces = None
        if needs.traces:
            traces = defense if isinstance(defense, GivenStage) else self.release(defense, split, seed)
        asked = self.queries(defense, queries) if needs.traces else 0
        return DistillStage(
            student=student,
            base=self.model("student"),
            traces=traces,
            queries=asked,
            further=self._further(defense, seed, needs.draws, asked),
            # Draw 0 would share its randomness with the teacher's traces.
            own=tuple(self._own(split, seed, draw) for draw in range(1, needs.own_samples + 1)),
            rewrites=None if traces is None else self._rewrites(traces, needs.rewrites, seed),
            exposed=self._exposed(defense, split, seed) if needs.logprobs else None,
            references=self.references() if needs.references else None,
            proxy=self.known_proxy(defense) if needs.proxy else None,
            **self._objective(defense, made, seed),
            task=self.config.task,
            training=self.config.training,
            seed=seed,
        )

    def evaluate(
        self,
        defense: NamedChoice | GivenStage,
        student: NamedChoice,
        split: str,
        seed: int,
        queries: int | None = None,
    ) -> SampleStage:
        """Let a student answer a split; an untrained one answers without having seen anything."""
        trains = make_student(student.name, student.options).trains
        greedy = self.config.evaluation.temperature == 0
        return SampleStage(
            problems=self.problems(split),
            model=self.model("student"),
            trained=self.distill(defense, student, seed, queries) if trains else None,
            policy=UNDEFENDED,
            sampling=self.config.evaluation,
            seed=0 if greedy else seed,
        )

    def cost(self) -> CostStage:
        """Time all policies, each once, whatever it releases of its completions."""
        deriving = [policy.proxy_names for policy in self.config.make_policies() if policy.needs_delta]
        seed = self.config.seeds[0]
        policies = {choice.label: choice for choice in (defense.without_form for defense in self.config.policies)}
        return CostStage(
            problems=self.problems("test"),
            teacher=self.model("teacher"),
            proxies={name: self.proxy(name) for name in self.config.all_proxies},
            gradients={name: self.gradient(name, seed) for names in deriving for name in names},
            policies=tuple(policies.values()),
            sampling=self.config.sampling,
            settings=self.config.cost,
        )

    def queries(self, defense: NamedChoice | GivenStage, asked: int | None) -> int:
        """How many traces a student asks for."""
        if isinstance(defense, GivenStage):
            return defense.count if asked is None else min(asked, defense.count)
        return self.config.splits["train"] if asked is None else asked

    def known_proxy(self, defense: NamedChoice | GivenStage) -> Model:
        """The proxy that an informed student knows: the defense's first, else the configuration's first."""
        first = next(iter(self.config.all_proxies), "proxy")
        if not isinstance(defense, GivenStage):
            made = make_policy(defense.name, defense.options)
            first = next(iter(made.proxy_names), first)
        return self.proxy(first)

    def problems(self, split: str) -> ProblemSet:
        """A split of the task."""
        return ProblemSet.of(self.config, split, self.resolve)

    def references(self) -> ProblemSet:
        """The problems whose worked solutions are public."""
        holdout, count = self.problems("holdout"), self.config.attacker.references
        return holdout if count is None else holdout.part(0, count)

    def model(self, role: str) -> Model:
        """The model in a role: ``teacher`` or ``student``."""
        return Model.of(getattr(self.config, role), self.resolve)

    def proxy(self, name: str) -> Model:
        """One of the defender's proxies."""
        known = self.config.all_proxies
        if name not in known:
            raise DistillgameError(f"the configuration has no proxy '{name}', and it is needed")
        return Model.of(known[name], self.resolve)

    def _objective(self, defense: NamedChoice | GivenStage, student: Student, seed: int) -> dict[str, object]:
        if not student.needs_objective:
            return {}
        objective = student.objective or self.config.attacker.objective
        found: dict[str, object] = {"objective": objective}
        if objective == "reference":
            return found | {"holdout": self.references()}
        if objective == "clean":
            return found | {"holdout_traces": self.sample(UNDEFENDED, "holdout", seed)}
        if isinstance(defense, GivenStage):
            return found | {"holdout_traces": defense}
        return found | {"holdout_traces": self.release(defense, "holdout", seed)}

    def _further(
        self, defense: NamedChoice | GivenStage, seed: int, draws: int, queries: int
    ) -> tuple[SampleStage | FormStage, ...]:
        """Further draws of as many prompts as the queries allow."""
        if draws == 1:
            return ()
        assert not isinstance(defense, GivenStage)
        return tuple(self.release(defense, "train", seed, draw, queries // draws) for draw in range(1, draws))

    def _own(self, split: str, seed: int, draw: int) -> SampleStage:
        """The student's base model at the teacher's temperature, on its own."""
        temperature = self.config.sampling.temperature or 1.0
        return SampleStage(
            problems=self.problems(split),
            model=self.model("student"),
            policy=UNDEFENDED,
            sampling=self.config.evaluation.model_copy(update={"temperature": temperature}),
            seed=seed,
            draw=draw,
        )

    def _rewrites(self, traces: Source, k: int, seed: int) -> RewriteStage | None:
        temperature = self.config.sampling.temperature or 1.0
        sampling = self.config.evaluation.model_copy(update={"temperature": temperature})
        if k == 0:
            return None
        return RewriteStage(
            traces=traces, task=self.config.task, base=self.model("student"), sampling=sampling, k=k, seed=seed
        )

    def _exposed(self, defense: NamedChoice | GivenStage, split: str, seed: int) -> SampleStage:
        assert not isinstance(defense, GivenStage)
        return self.sample(defense, split, seed, exposed=EXPOSED)
