"""Trained students whose evaluations are finished: their weights need not stay on the disk."""

from collections.abc import Iterable, Sequence

from distillgame.arena.stages import Stage, TrainingStage
from distillgame.arena.store import Store


class SpentStudents:
    """The students of some stages: the weights of each are deleted once every stage that reads them is finished.

    Args:
        store: The stages.
        stages: All stages that are still of interest. Trainings that none of them reads are spent at once.
    """

    def __init__(self, store: Store, stages: Iterable[Stage]):
        self.store = store
        self._readers: dict[TrainingStage, list[Stage]] = {}
        for stage in stages:
            if isinstance(stage, TrainingStage):
                self._readers.setdefault(stage, [])
            for needed in trainings(stage):
                self._readers.setdefault(needed, []).append(stage)
        for training in self._readers:
            self._delete_if_spent(training)

    def after(self, stage: Stage) -> None:
        """Take note that a stage is finished."""
        for training in {*trainings(stage), *([stage] if isinstance(stage, TrainingStage) else [])}:
            self._delete_if_spent(training)

    def _delete_if_spent(self, training: TrainingStage) -> None:
        if self.store.has(training) and all(self.store.has(reader) for reader in self._readers[training]):
            self.store.delete_weights(training)


def trainings(stage: Stage) -> list[TrainingStage]:
    """Return the trained students that a stage reads."""
    return [needed for needed in stage.inputs() if isinstance(needed, TrainingStage)]


def restore(store: Store, stages: Sequence[Stage], every: bool = False) -> None:
    """Have students trained again whose weights were deleted.

    Args:
        store: The stages.
        stages: The stages that are wanted, each after its inputs.
        every: Restore all students, not only those that a stage reads which is not finished.
    """
    # Readers first: a student that is trained again may itself read another.
    for stage in reversed(stages):
        read = [] if store.has(stage) else trainings(stage)
        for training in [*read, *([stage] if every and isinstance(stage, TrainingStage) else [])]:
            if store.has(training) and not store.has_weights(training):
                store.discard(training)
