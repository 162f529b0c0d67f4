"""The GPU-hours of a game, by policy and by student, and what a preemption costs."""

from collections import defaultdict
from collections.abc import Sequence

from distillgame.arena.config import GameConfig
from distillgame.arena.operations import operations
from distillgame.arena.stages import DistillStage, ProbeStage, RewriteStage, SampleStage, Stage, TracesStage


class Hours:
    """The GPU-hours that stages take at most, at the speed that ``compute.gpu`` says.

    Args:
        stages: The stages of a game.
        config: The game.
        sizes: Numbers of parameters by role or proxy; None where they are unknown.
    """

    def __init__(self, stages: Sequence[Stage], config: GameConfig, sizes: dict[str, float | None]):
        self._config, self._gpu = config, config.compute.gpu
        self._checkpoints = config.training.checkpoint_every
        self._remote = config.compute.store is not None
        each = self._gpu.teraflops * 1e12 * 3600
        self._hours = {stage: operations(stage, config, sizes) / each for stage in stages}
        self._policies: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._students: dict[str, float] = defaultdict(float)
        self._others = 0.0
        for stage, hours in self._hours.items():
            self._add(stage, hours)

    def _add(self, stage: Stage, hours: float) -> None:
        policy, student = _owner(stage, self._config)
        if policy is not None:
            self._policies[policy][student is not None] += hours
        if student is not None:
            self._students[student] += hours
        if policy is None and student is None:
            self._others += hours

    def lines(self) -> list[str]:
        """Return a table by policy and one by student."""
        total = sum(self._hours.values())
        found = [
            f"GPU-hours at {self._gpu.teraflops:g} teraFLOP/s, at most",
            f"  {'':<32} sampling  students       all",
        ]
        for policy, (sampling, students) in self._policies.items():
            found.append(f"  {policy:<32.32} {sampling:8.3g}  {students:8.3g}{self._amount(sampling + students)}")
        rows = [*self._students.items(), ("everything else", self._others), ("in all", total)]
        return [*found, "", *(f"  {name:<52.52}{self._amount(hours)}" for name, hours in rows)]

    def preemption(self) -> list[str]:
        """Say what is lost when a node is taken away."""
        stage, hours = max(self._hours.items(), key=lambda pair: pair[1])
        every = (
            f"of every {self._checkpoints} steps" if self._checkpoints else "(there is none: training.checkpoint_every)"
        )
        kept = (
            "an unfinished one starts again, because its part lies on its node"
            if self._remote
            else f"an unfinished sampling goes on at its last shard, a training at its last checkpoint {every}"
        )
        return [
            f"preemption: all {len(self._hours)} stages may be",
            "  a finished stage is never computed again",
            f"  {kept}",
            f"  the longest is '{stage.label}', {hours:.2g} GPU-hours",
        ]

    def _amount(self, hours: float) -> str:
        money = "" if self._gpu.price is None else f"  {hours * self._gpu.price:10,.2f} dollars"
        return f"{hours:10.3g}{money}"


def _owner(stage: Stage, config: GameConfig) -> tuple[str | None, str | None]:
    """Return the policy and the student that a stage is for, None where there is none."""
    if isinstance(stage, SampleStage | ProbeStage) and isinstance(stage.trained, DistillStage):
        return _owner(stage.trained, config)
    if isinstance(stage, DistillStage):
        return (None if stage.traces is None else stage.traces.defense), stage.student.label
    if isinstance(stage, RewriteStage):
        return stage.traces.defense, None
    if isinstance(stage, SampleStage):
        return (stage.defense if stage.trained is None and stage.model.spec != config.student else None), None
    return (stage.defense if isinstance(stage, TracesStage) else None), None
