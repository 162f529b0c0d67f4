"""The provider's stages: sample the teacher, release, take the defender's gradient, measure costs."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from distillgame.arena.config import GameConfig
from distillgame.arena.stages import (
    AskStage,
    CostStage,
    FormStage,
    GradientStage,
    GreenGradientStage,
    JudgeStage,
    Model,
    ProblemSet,
    ProxyGradientStage,
    SampleStage,
    TracesStage,
    ValueStage,
    WrittenFormStage,
    author_of,
)
from distillgame.errors import DistillgameError
from distillgame.judges import JudgeChoice
from distillgame.policies import Defense, Fingerprint, MarkPolicy, PolicyChoice
from distillgame.policies.forms import WrittenForm, make_form

STANDARD = Defense(name="standard")
UNDEFENDED = STANDARD.without_form

VIEWED = 24
"""Problems in the viewer of a run's page."""


@dataclass(frozen=True)
class Provider:
    """Makes the stages of the provider's side of one game.

    Args:
        config: The game.
        resolve: Whether models and problems are looked up, so that stages can be run and not only described.
    """

    config: GameConfig
    resolve: bool = True

    def sample(
        self, policy: PolicyChoice, split: str, seed: int, draw: int = 0, first: int | None = None, exposed: int = 0
    ) -> SampleStage:
        """Return the stage that samples a split from the teacher under a policy, in full.

        Args:
            policy: The release policy; its marks are those of its epoch plus the seed.
            split: The problems.
            seed: Seed of the random streams.
            draw: Which of several draws.
            first: Ask only the first so many problems of the split.
            exposed: How many log-probabilities the server exposes at each position.
        """
        plain = in_epoch(policy.without_form if isinstance(policy, Defense) else policy, seed)
        # By the policy's text: choices that differ in 1 and 1.0 are equal, and their stages are not.
        asked = (plain.model_dump_json(), split, seed, draw, first, exposed)
        if asked not in self._samples:
            names, needs_delta = plain.policy.proxy_names, plain.policy.needs_delta
            problems = self.problems(split)
            self._samples[asked] = SampleStage(
                problems=problems if first is None else problems.part(0, first),
                model=self.model("teacher"),
                policy=plain,
                proxies={name: self.proxy(name) for name in names},
                gradients={name: self.direction(plain, name, seed) for name in names if needs_delta},
                sampling=self.config.sampling.model_copy(update={"top_logprobs": exposed}),
                seed=seed,
                draw=draw,
            )
        return self._samples[asked]

    def release(
        self, defense: Defense, split: str, seed: int, draw: int = 0, first: int | None = None
    ) -> SampleStage | FormStage:
        """Return the stage of a split as a defense releases it."""
        return self._in_form(self.sample(defense, split, seed, draw, first), defense)

    def ask(
        self, defense: Defense, seed: int, answers: SampleStage, before: tuple[TracesStage, ...], queries: int
    ) -> SampleStage | FormStage:
        """Return the stage of one more round of queries, as a defense releases what is asked.

        Args:
            defense: The defense.
            seed: Seed of the random streams.
            answers: The student's answers to the whole training split.
            before: The rounds before, of which the first ``queries`` traces each were asked for.
            queries: How many traces are asked for.
        """
        fields = dict(self.sample(defense, "train", seed, draw=len(before)))
        return self._in_form(AskStage(**fields, answers=answers, before=before, queries=queries), defense)

    def gradient(self, proxy: str, seed: int) -> ProxyGradientStage:
        """Return the stage of the defender's gradient at one of its proxies."""
        if (proxy, seed) not in self._gradients:
            clean = self.config.defender.objective == "clean"
            self._gradients[proxy, seed] = ProxyGradientStage(
                proxy=self.proxy(proxy),
                objective=self.config.defender.objective,
                problems=self.problems("defender"),
                traces=self.sample(UNDEFENDED, "defender", seed) if clean else None,
            )
        return self._gradients[proxy, seed]

    def direction(self, policy: PolicyChoice, proxy: str, seed: int) -> GradientStage:
        """Return the stage of the direction along which a policy takes the derivative of one of its proxies.

        Args:
            policy: The policy.
            proxy: The name of the proxy.
            seed: Seed of the game.
        """
        if not isinstance(policy.policy, Fingerprint):
            return self.gradient(proxy, seed)
        # Its strength and what it marks change nothing about it.
        options = {name: value for name, value in policy.options.items() if name not in ("lambda", "on", "through")}
        return GreenGradientStage(
            proxy=self.proxy(proxy),
            policy=PolicyChoice(name=policy.name, options=options),
            teacher=self.model("teacher"),
            traces=self.sample(UNDEFENDED, "defender", seed),
        )

    def viewed_values(self, defense: Defense, split: str) -> ValueStage | None:
        """Return the stage that values the traces of the page's viewer, for a policy that evaluates no proxy itself."""
        name = next(iter(self.config.all_proxies), None)
        if defense.policy.uses_proxies or name is None:
            return None
        traces = self.sample(defense, split, self.config.seeds[0])
        return ValueStage(traces=traces, proxy=self.proxy(name), count=min(VIEWED, traces.problems.size))

    def judge(self, choice: JudgeChoice, split: str, defenses: Iterable[Defense]) -> JudgeStage:
        """Return the stage in which a judge reads what every defense released.

        Args:
            choice: The judge.
            split: The problems.
            defenses: The defenses.
        """
        settings, seed = self.config.judge, self.config.seeds[0]
        problems = self.problems(split)
        return JudgeStage(
            judge=choice,
            material=choice.judge.material,
            models={name: Model.of(spec, self.resolve) for name, spec in choice.judge.models.items()},
            problems=problems.part(0, min(settings.problems, problems.size)),
            releases=tuple(self.release(defense, split, seed) for defense in defenses),
            anchors=settings.anchors,
            repeats=settings.repeats,
            seed=seed,
        )

    def cost(self) -> CostStage:
        """Return the stage that times all policies, each once, whatever it releases of its completions."""
        deriving = [defense.without_form for defense in self.config.policies if defense.policy.needs_delta]
        seed = self.config.seeds[0]
        policies = {defense.without_form.label: defense.without_form for defense in self.config.policies}
        return CostStage(
            problems=self.problems("test"),
            teacher=self.model("teacher"),
            proxies={name: self.proxy(name) for name in self.config.all_proxies},
            # The time that a derivative takes does not depend on its direction: one per proxy will do.
            gradients={
                name: self.direction(in_epoch(policy, seed), name, seed)
                for policy in deriving
                for name in policy.policy.proxy_names
            },
            policies=tuple(policies.values()),
            sampling=self.config.sampling,
            settings=self.config.cost,
        )

    def problems(self, split: str) -> ProblemSet:
        """Return a split of the task."""
        return ProblemSet.of(self.config, split, self.resolve)

    def model(self, role: str) -> Model:
        """Return the model in a role: ``teacher`` or ``student``."""
        return Model.of(getattr(self.config, role), self.resolve)

    def proxy(self, name: str) -> Model:
        """Return one of the defender's proxies.

        Raises:
            DistillgameError: If the configuration has no proxy of that name.
        """
        known = self.config.all_proxies
        if name not in known:
            raise DistillgameError(f"the configuration has no proxy '{name}', and it is needed")
        return Model.of(known[name], self.resolve)

    def models(self) -> dict[str, Model]:
        """Return all models of the game by role or name."""
        proxies = {name: self.proxy(name) for name in self.config.all_proxies}
        return {"teacher": self.model("teacher"), "student": self.model("student"), **proxies}

    @cached_property
    def _samples(self) -> dict[tuple[str | int | None, ...], SampleStage]:
        """Samples that were planned: rows of teachers, students and judges ask for the same ones."""
        return {}

    @cached_property
    def _gradients(self) -> dict[tuple[str, int], ProxyGradientStage]:
        """Gradients that were planned, by proxy and seed."""
        return {}

    def _in_form(self, sample: SampleStage, defense: Defense) -> SampleStage | FormStage:
        if defense.form.name == "full":
            return sample
        form, fields = make_form(defense.form), {"traces": sample, "form": defense.form}
        if isinstance(form, WrittenForm) and form.writer is not None:
            writer = author_of(form.writer, self.resolve)
            return WrittenFormStage(**fields, writer=writer, instruction=form.instruction)
        return FormStage(**fields)


def in_epoch(policy: PolicyChoice, seed: int) -> PolicyChoice:
    """Return a policy with the marks of its epoch plus the seed of the game: seeds are to be draws of keys, too.

    Its label stays the same.
    """
    if seed == 0 or not isinstance(policy.policy, MarkPolicy):
        return policy
    epoch = policy.policy.epoch + seed
    if epoch < 0:
        raise DistillgameError(f"seeds: {seed}: '{policy.label}' marks in epoch {epoch}: a mark takes seeds from 0 on")
    return policy.model_copy(update={"options": policy.options | {"epoch": epoch}})
