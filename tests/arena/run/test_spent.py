import json
from pathlib import Path
from typing import ClassVar

import pytest

from distillgame.arena.run.spent import SpentStudents, restore
from distillgame.arena.stages import MODEL, REPORT, TrainingStage
from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.store import MANIFEST, Store
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec


class Train(TrainingStage):
    kind: ClassVar[str] = "train for a test"
    text: str

    @property
    def label(self) -> str:
        return f"train {self.text}"

    @property
    def base_spec(self) -> ModelSpec:
        return ModelSpec(source="embedded:student")

    def run(self, context: StageContext) -> None:
        (context.out / MODEL).mkdir()
        (context.out / MODEL / "weights").write_text(self.text)
        (context.out / REPORT).write_text("{}")


class TrainFurther(Train):
    kind: ClassVar[str] = "train further for a test"
    reader: TrainingStage

    def run(self, context: StageContext) -> None:
        assert (context.folder(self.reader) / MODEL / "weights").exists()
        super().run(context)


class Evaluate(Stage):
    kind: ClassVar[str] = "evaluate for a test"
    trained: TrainingStage
    split: str

    @property
    def label(self) -> str:
        return f"evaluate on {self.split}"

    def run(self, context: StageContext) -> None:
        (context.out / "answer").write_text((context.folder(self.trained) / MODEL / "weights").read_text())


TRAINED = Train(text="hello")
VALIDATED, TESTED = Evaluate(trained=TRAINED, split="validation"), Evaluate(trained=TRAINED, split="test")


def run(store: Store, *stages: Stage) -> None:
    for stage in stages:
        store.run(stage, lambda done, total: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "cpu")


def test_weights_go_after_the_last_evaluation_and_the_report_stays(store: Store) -> None:
    run(store, TRAINED, VALIDATED)
    spent = SpentStudents(store, [TRAINED, VALIDATED, TESTED])
    spent.after(VALIDATED)
    assert store.has_weights(TRAINED)
    run(store, TESTED)
    spent.after(TESTED)
    assert not store.has_weights(TRAINED)
    folder = Store(store.root, "cpu").folder(TRAINED)  # verified anew
    assert sorted(path.name for path in folder.iterdir()) == sorted([MANIFEST, REPORT])


def test_what_is_evaluated_already_is_deleted_at_once(store: Store) -> None:
    """As after a kill between an evaluation and the deletion."""
    run(store, TRAINED, VALIDATED)
    SpentStudents(store, [TRAINED, VALIDATED])
    assert not (store.path(TRAINED) / MODEL).exists()


def test_a_deletion_that_was_killed_is_finished(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run(store, TRAINED, VALIDATED)
    with monkeypatch.context() as patch:
        patch.setattr("distillgame.arena.store.store.shutil.rmtree", lambda *_, **__: None)
        SpentStudents(store, [VALIDATED])
    assert (store.path(TRAINED) / MODEL / "weights").exists()
    assert not store.has_weights(TRAINED)
    store.folder(TRAINED)
    SpentStudents(store, [VALIDATED])
    assert not (store.path(TRAINED) / MODEL).exists()


def test_a_later_evaluation_has_the_student_trained_again(store: Store) -> None:
    run(store, TRAINED, VALIDATED)
    SpentStudents(store, [VALIDATED])
    restore(store, [TRAINED, VALIDATED])
    assert store.has(TRAINED)  # nothing that is missing reads it
    restore(store, [TRAINED, VALIDATED, TESTED])
    assert not store.has(TRAINED)
    assert store.has(VALIDATED)
    run(store, TRAINED, TESTED)
    assert (store.folder(TESTED) / "answer").read_text() == "hello"


def test_a_student_that_is_trained_again_has_those_trained_again_that_it_reads(store: Store) -> None:
    further = TrainFurther(text="bye", reader=TRAINED)
    validated, tested = (Evaluate(trained=further, split=split) for split in ("validation", "test"))
    run(store, TRAINED, further, validated)
    SpentStudents(store, [TRAINED, further, validated])
    restore(store, [TRAINED, further, validated])
    assert store.has(TRAINED)
    assert store.has(further)
    restore(store, [TRAINED, further, validated, tested])
    assert not store.has(TRAINED)
    assert not store.has(further)
    run(store, TRAINED, further, tested)
    assert (store.folder(tested) / "answer").read_text() == "bye"


def test_students_that_shall_be_kept_are_restored(store: Store) -> None:
    run(store, TRAINED, VALIDATED)
    SpentStudents(store, [VALIDATED])
    restore(store, [TRAINED, VALIDATED], every=True)
    assert not store.has(TRAINED)


def test_a_corrupt_manifest_is_named(store: Store) -> None:
    run(store, TRAINED)
    (store.path(TRAINED) / MANIFEST).write_text(json.dumps({"files": 3}))
    with pytest.raises(DistillgameError, match=r"corrupt; delete the folder"):
        store.has_weights(TRAINED)
