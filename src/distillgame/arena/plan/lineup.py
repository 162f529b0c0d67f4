"""Who plays against a defense, with how many seeds; and who of them is the strongest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from distillgame.arena.plan.planner import Planner
from distillgame.arena.stages import GivenStage, SampleStage, Stage
from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.models import load_tokenizer
from distillgame.policies import Defense, make_policy
from distillgame.records import Level
from distillgame.students import Student, make_student

VALIDATION = "validation"
"""The split on which the strongest student is chosen; it is reported on another."""

AGAINST_CONTROLS = ("passive", "adaptive")
"""Members of a suite that are played against a policy that is a control: it is there to be compared with."""

Target = Defense | GivenStage
"""What is attacked: a defense, or traces from elsewhere."""


@dataclass(frozen=True)
class Entry:
    """One student against one defense.

    Attributes:
        target: What is attacked.
        student: Who attacks.
        seeds: With which seeds it is played on the reported split.
        queries: How many traces it may ask for.
        control: Whether it is there to be compared with.
        level: The level of the threat model at which it competes.
        strongest: Whether it was chosen as the strongest there.
        validation: Its accuracy on the validation split with the first seed, where the choice was made.
    """

    target: Target
    student: NamedChoice
    seeds: tuple[int, ...]
    queries: int
    control: bool
    level: Level
    strongest: bool = False
    validation: float | None = None


@dataclass(frozen=True)
class Round:
    """One defense at one number of queries.

    Attributes:
        target: What is attacked.
        queries: How many traces a student may ask for.
        validation: Accuracies on the validation split by student, once they are known.
    """

    target: Target
    queries: int
    validation: Mapping[str, float] = field(default_factory=dict)


class Lineup:
    """The students of a game, round by round.

    Attributes:
        is_chosen: Whether a strongest student is chosen at all: of the few of a plain game everyone is reported.

    Args:
        planner: The game.
        targets: What is attacked; the game's own defenses by default.
        queries: Numbers of queries; that of the game's own training split by default.
        choose: Whether a strongest student is chosen though the game names no suite.
    """

    def __init__(
        self,
        planner: Planner,
        targets: Sequence[Target] | None = None,
        queries: Sequence[int] = (),
        choose: bool = False,
    ):
        self.planner, self.config = planner, planner.config
        self.is_chosen = choose or planner.config.suite is not None
        asked: list[int | None] = [*queries] or [None]
        self.rounds = [
            Round(target, planner.queries(target, count))
            for target in (self.config.policies if targets is None else targets)
            for count in asked
        ]
        self._require_listed()

    def attackers(self, played: Round) -> list[NamedChoice]:
        """The students that attack, as far as they are given what they need."""
        choices = [choice for choice in self.config.attackers if not _made(choice).control]
        if isinstance(played.target, Defense) and make_policy(played.target.name, played.target.options).control:
            listed = {choice.label for choice in self.config.students}
            choices = [choice for choice in choices if choice.name in AGAINST_CONTROLS or choice.label in listed]
        return [choice for choice in choices if self.lacks(played, choice) is None]

    def lacks(self, played: Round, choice: NamedChoice) -> str | None:
        """What a student needs and is not given in a round; None if it can be played."""
        needs, target = _made(choice).needs, played.target
        given = isinstance(target, GivenStage)
        # Whoever releases less than the completion exposes no log-probabilities of it.
        exposes = isinstance(target, Defense) and target.form.name == "full"
        reasons = {
            "a proxy in the configuration": needs.proxy and not self.config.all_proxies,
            "log-probabilities": needs.logprobs and not exposes,
            "the teacher's vocabulary": needs.logprobs and not self._shares_vocabulary,
            "several draws of a prompt": needs.draws > 1 and given,
            f"at least {needs.draws} queries": needs.traces and needs.draws > played.queries,
            "the problems that the traces answer": needs.own_samples > 0 and given,
            "to know which answers are right": needs.verdicts
            and isinstance(target, GivenStage)
            and not target.verdicts,
        }
        return next((what for what, is_lacking in reasons.items() if is_lacking), None)

    def level(self, choice: NamedChoice) -> Level:
        """The level of the threat model at which a student competes."""
        made = _made(choice)
        if made.needs_objective and (made.objective or self.config.attacker.objective) == "clean":
            return "informed"
        return made.needs.level

    @cached_property
    def _shares_vocabulary(self) -> bool:
        """Whether token ids mean the same to teacher, student and proxies; assumed where nothing is looked up."""
        if not self.planner.resolve:
            return True
        specs = [self.config.teacher, self.config.student, *self.config.all_proxies.values()]
        first, *others = (load_tokenizer(spec).get_vocab() for spec in specs)
        return all(other == first for other in others)

    def _require_listed(self) -> None:
        """Students of a suite are left out where they cannot be played; one that was asked for by name is not."""
        for choice in self.config.students:
            lacking = [self.lacks(played, choice) for played in self.rounds]
            if lacking and all(lacking):
                raise DistillgameError(f"student '{choice.label}' needs {lacking[0]}, which it is not given here")

    def trials(self, played: Round) -> dict[str, SampleStage]:
        """The stages on whose results the strongest student of a round is chosen, by student."""
        seed = self.config.seeds[0]
        return {
            choice.label: self.planner.evaluate(played.target, choice, VALIDATION, seed, played.queries)
            for choice in self.attackers(played)
        }

    def entries(self, played: Round) -> list[Entry]:
        """Everyone of a round; with a suite, after :attr:`Round.validation` is known."""
        seeds = tuple(self.config.seeds)
        chosen = self._strongest(played)
        entries = []
        for choice in self.attackers(played):
            is_headline = choice.label in chosen or choice.name == "passive" or not self.is_chosen
            entries.append(
                Entry(
                    played.target,
                    choice,
                    seeds if is_headline else seeds[:1],
                    played.queries,
                    False,
                    self.level(choice),
                    choice.label in chosen,
                    played.validation.get(choice.label),
                )
            )
        return [*entries, *self._controls(played)]

    def stages(self, played: Round, split: str) -> Iterator[Stage]:
        """What a round reports on a split."""
        for entry in self.entries(played):
            for seed in entry.seeds:
                yield self.planner.evaluate(entry.target, entry.student, split, seed, entry.queries)

    def _strongest(self, played: Round) -> set[str]:
        best: dict[Level, str] = {}
        for choice in self.attackers(played):
            level, label = self.level(choice), choice.label
            if label in played.validation:
                best.setdefault(level, label)
                if played.validation[label] > played.validation[best[level]]:
                    best[level] = label
        return set(best.values())

    def _controls(self, played: Round) -> Iterator[Entry]:
        listed = [choice for choice in self.config.students if _made(choice).control]
        seeds = tuple(self.config.seeds)
        for choice in [*listed, *self._missing_controls(played, {choice.name for choice in listed})]:
            # eta = 0 has to give the very same student, and the oracle bounds: one seed tells.
            few = choice not in listed and choice.name in ("eta_zero", "oracle")
            level = self.level(choice)
            yield Entry(played.target, choice, seeds[:1] if few else seeds, played.queries, True, level)

    def _missing_controls(self, played: Round, listed: set[str]) -> Iterator[NamedChoice]:
        if not self.config.controls:
            return
        holdout = self.config.splits.get("holdout", 0) > 0
        adaptive = self._adaptive(played)
        wanted = [NamedChoice(name="untrained")]
        if holdout:
            wanted.append(NamedChoice(name="reference"))
        if holdout and adaptive is not None:
            wanted += [
                NamedChoice(name="eta_zero"),
                NamedChoice(name="shuffled", options=adaptive.options),
                NamedChoice(name="oracle", options=adaptive.options),
            ]
        for choice in wanted:
            is_possible = choice.name != "oracle" or not isinstance(played.target, GivenStage)
            if choice.name not in listed and is_possible:
                yield choice

    def _adaptive(self, played: Round) -> NamedChoice | None:
        """The adaptive student whose eta the controls share: the strongest of them."""
        found = [choice for choice in self.attackers(played) if choice.name == "adaptive"]
        return max(found, key=lambda choice: played.validation.get(choice.label, 0.0), default=None)


def defenses_of(rounds: Sequence[Round]) -> list[Defense]:
    """The defenses among what is attacked, each once."""
    defenses = {target.label: target for target in (played.target for played in rounds) if isinstance(target, Defense)}
    return list(defenses.values())


def _made(choice: NamedChoice) -> Student:
    return make_student(choice.name, choice.options)
