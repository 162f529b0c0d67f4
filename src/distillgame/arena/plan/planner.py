"""The attacker's stages: train students on what was released, and evaluate them."""

from dataclasses import dataclass

from distillgame.arena.config import Generation
from distillgame.arena.plan.provider import UNDEFENDED, Provider
from distillgame.arena.plan.targets import Target
from distillgame.arena.stages import (
    DistillStage,
    ExpandStage,
    InverterStage,
    Model,
    ProbeStage,
    ProblemSet,
    RetellStage,
    RewriteStage,
    SampleStage,
    TracesStage,
    author_of,
)
from distillgame.choices import NamedChoice
from distillgame.students import Inversion, Needs, Objective, Student, StudentChoice


@dataclass(frozen=True)
class Planner(Provider):
    """Makes the stages of one game, those of both sides."""

    def distill(
        self,
        target: Target,
        choice: StudentChoice,
        seed: int,
        queries: int | None = None,
        objective_traces: TracesStage | None = None,
    ) -> DistillStage:
        """Return the stage that trains a student on a target's traces.

        Args:
            target: Whose traces.
            choice: The student.
            seed: Seed of the game.
            queries: How many traces it may ask for; all of the training split by default.
            objective_traces: Traces of the validation objective, where the game does not sample them.
        """
        needs = choice.student.needs
        asked = target.queries(self, queries) if needs.traces else 0
        traces = target.traces(self, "train", seed) if needs.traces else None
        reader = None if needs.reader is None else self._reader(target, needs.reader, seed, asked, objective_traces)
        return DistillStage(
            student=choice,
            base=self.model("student"),
            traces=traces,
            queries=asked,
            # As many prompts as the queries allow.
            further=tuple(
                target.traces(self, "train", seed, draw, asked // needs.draws) for draw in range(1, needs.draws)
            ),
            **self._later(target, choice, seed, asked),
            # Draw 0 would share its randomness with the teacher's traces.
            own=tuple(self._own("train", seed, draw) for draw in range(1, needs.own_samples + 1)),
            rewrites=self._rewrites(traces, needs, reader, seed, asked),
            expansions=self._expansions(target, traces, needs.inversion, seed, asked),
            exposed=target.exposed(self, "train", seed) if needs.logprobs else None,
            references=self.references() if needs.references else None,
            proxy=self.known_proxy(target) if needs.proxy else None,
            reader=reader,
            **self._objective(target, choice.student, seed, objective_traces),
            task=self.config.task,
            training=self.config.training,
            seed=seed,
        )

    def evaluate(
        self, target: Target, choice: StudentChoice, split: str, seed: int, queries: int | None = None
    ) -> SampleStage:
        """Return the stage in which a student answers a split; an untrained one answers as it is."""
        greedy = self.config.evaluation.temperature == 0
        return SampleStage(
            problems=self.problems(split),
            model=self.model("student"),
            trained=self.distill(target, choice, seed, queries) if choice.student.trains else None,
            policy=UNDEFENDED,
            sampling=self.config.evaluation,
            seed=0 if greedy else seed,
        )

    def probe(self, evaluation: SampleStage) -> ProbeStage:
        """Return the stage in which a student that answers a split is asked about private facts."""
        return ProbeStage(
            task=self.config.task,
            model=evaluation.model,
            trained=evaluation.trained,
            sampling=self.config.evaluation,
        )

    def references(self) -> ProblemSet:
        """Return the problems whose worked solutions are public."""
        holdout, count = self.problems("holdout"), self.config.attacker.references
        return holdout if count is None else holdout.part(0, count)

    def known_proxy(self, target: Target) -> Model:
        """Return the proxy that an informed student knows: the target's first, else the configuration's first."""
        return self.proxy(next(iter([*target.proxies, *self.config.all_proxies]), "proxy"))

    def objective(self, student: Student) -> Objective:
        """Return the validation objective of a student: its own, else the attacker's."""
        return student.objective or self.config.attacker.objective

    def _objective(self, target: Target, student: Student, seed: int, given: TracesStage | None) -> dict[str, object]:
        if not student.needs_objective:
            return {}
        objective = self.objective(student)
        found: dict[str, object] = {"objective": objective}
        if objective == "reference":
            return found | {"holdout": self.references()}
        if given is not None:
            return found | {"holdout_traces": given}
        if objective == "clean":
            return found | {"holdout_traces": self.sample(UNDEFENDED, "holdout", seed)}
        return found | {"holdout_traces": target.traces(self, "holdout", seed)}

    def _later(self, target: Target, choice: StudentChoice, seed: int, asked: int) -> dict[str, object]:
        """Return the rounds of queries after the first, each about what the student of those before it gets wrong."""
        rounds = choice.student.needs.rounds
        if rounds == 1:
            return {}
        share = asked // rounds
        fewer = choice.model_copy(update={"options": choice.options | {"rounds": rounds - 1}})
        student = self.distill(target, fewer, seed, share * (rounds - 1))
        before = (target.traces(self, "train", seed), *student.later)
        answers = self.evaluate(target, fewer, "train", seed, share * (rounds - 1))
        asked_now = target.later(self, seed, answers, before, share)
        return {"later": (*student.later, asked_now), "answered": (*student.answered, answers)}

    @property
    def _own_sampling(self) -> Generation:
        """The way in which models of the attacker's own are sampled: at the teacher's temperature."""
        return self.config.evaluation.model_copy(update={"temperature": self.config.sampling.temperature or 1.0})

    def _own(self, split: str, seed: int, draw: int) -> SampleStage:
        """Return the stage in which the student's base model answers on its own, at the teacher's temperature."""
        return SampleStage(
            problems=self.problems(split),
            model=self.model("student"),
            policy=UNDEFENDED,
            sampling=self._own_sampling,
            seed=seed,
            draw=draw,
        )

    def _expansions(
        self, target: Target, traces: TracesStage | None, inversion: Inversion | None, seed: int, asked: int
    ) -> ExpandStage | None:
        """Return the stage that writes the traces out, where a student asks for an inverter."""
        if traces is None or inversion is None:
            return None
        method = self.distill(target, StudentChoice(name="reference"), seed)
        slow = method.training.learning_rate * inversion.rate
        # It takes up the method and nothing else: what it says about private matters is made up.
        method = method.model_copy(update={"training": method.training.model_copy(update={"learning_rate": slow})})
        own = tuple(
            SampleStage(
                problems=self.problems("train").part(0, asked),
                model=self.model("student"),
                trained=method,
                policy=UNDEFENDED,
                sampling=self._own_sampling,
                seed=seed,
                draw=draw,
            )
            for draw in range(1, inversion.draws + 1)
        )
        inverter = InverterStage(
            base=self.model("student"),
            references=self.references(),
            own=own,
            form=target.form,
            task=self.config.task,
            training=self.config.training,
            seed=seed,
        )
        return ExpandStage(
            traces=traces,
            first=asked,
            task=self.config.task,
            base=self.model("student"),
            sampling=self._own_sampling,
            k=inversion.expansions,
            seed=seed,
            inverter=inverter,
        )

    def _reader(
        self, target: Target, choice: NamedChoice, seed: int, queries: int, objective_traces: TracesStage | None
    ) -> DistillStage:
        reader = StudentChoice(name=choice.name, options=choice.options)
        return self.distill(target, reader, seed, queries, objective_traces)

    def _rewrites(
        self, traces: TracesStage | None, needs: Needs, reader: DistillStage | None, seed: int, asked: int
    ) -> RewriteStage | None:
        """Return the stage of the traces' rewritings, where a student asks for them."""
        if traces is None or needs.rewrites == 0:
            return None
        third = self.config.attacker.paraphraser if needs.paraphraser else None
        base = self.model("student") if third is None else author_of(third, self.resolve)
        made = RewriteStage(
            traces=traces,
            first=traces.count if reader is None else asked,
            task=self.config.task,
            base=base,
            sampling=self._own_sampling,
            k=needs.rewrites,
            seed=seed,
        )
        # A reader has read no more than was asked for; rewritings are the same for any number of queries.
        return made if reader is None else RetellStage(**dict(made), reader=reader)
