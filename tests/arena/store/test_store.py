import errno
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.store import MANIFEST, Store, full_disk_is_an_error, lock
from distillgame.errors import DistillgameError


class Write(Stage):
    kind: ClassVar[str] = "write"
    text: str
    fail: str = ""

    @property
    def label(self) -> str:
        return f"write {self.text}"

    def run(self, context: StageContext) -> None:
        (context.out / "half.txt").write_text("half")
        if self.fail == "disk":
            raise OSError(errno.ENOSPC, "No space left on device")
        (context.out / "text.txt").write_text(self.text)


def silent(done: int, total: int) -> None:
    pass


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "cpu")


def test_a_result_appears_whole_with_its_manifest(store: Store) -> None:
    stage = Write(text="hello")
    assert not store.has(stage)
    store.run(stage, silent)
    assert store.has(stage)
    folder = store.folder(stage)
    assert (folder / "text.txt").read_text() == "hello"
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["spec"] == {"kind": "write", "text": "hello", "fail": ""}
    assert set(manifest["files"]) == {"half.txt", "text.txt"}


def test_a_full_disk_is_one_line_and_leaves_no_result(store: Store) -> None:
    stage = Write(text="hello", fail="disk")
    with pytest.raises(DistillgameError, match=r"no space left on the disk of .*: free some and start again"):
        store.run(stage, silent)
    assert not store.has(stage)
    assert not store.path(stage).exists()


def test_other_errors_of_the_system_are_not_mistaken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), full_disk_is_an_error(tmp_path):
        raise PermissionError(errno.EACCES, "no")


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest", "other"])
def test_a_corrupt_entry_is_named_with_what_to_do(store: Store, tmp_path: Path, damage: str) -> None:
    stage = Write(text="hello")
    store.run(stage, silent)
    folder = store.path(stage)
    if damage == "changed":
        (folder / "text.txt").write_text("hell0")
    elif damage == "missing":
        (folder / "text.txt").unlink()
    elif damage == "manifest":
        (folder / MANIFEST).write_text("{")
    else:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps({**manifest, "key": "another"}))
    with pytest.raises(DistillgameError, match=r"delete the folder .* to have it computed again") as caught:
        Store(tmp_path, "cpu").folder(stage)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unfinished_stage_has_no_folder(store: Store) -> None:
    with pytest.raises(DistillgameError, match="stage 'write x' is not finished"):
        store.folder(Write(text="x"))


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(DistillgameError, match="another run is using this folder"), lock(tmp_path):
        pass
    with lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DistillgameError, match="cannot be written to"), lock(tmp_path / "file" / "run"):
        pass


def test_a_full_disk_that_a_library_reports_in_its_own_words_is_seen(tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match="no space left"), full_disk_is_an_error(tmp_path):
        raise RuntimeError('Error while serializing: I/O error: Os { code: 28, message: "No space left on device" }')


def test_a_folder_without_a_manifest_is_computed_anew(store: Store) -> None:
    stage = Write(text="hello")
    store.run(stage, silent)
    (store.path(stage) / MANIFEST).unlink()
    assert not store.has(stage)
    store.run(stage, silent)
    assert (store.folder(stage) / "text.txt").read_text() == "hello"


@pytest.mark.parametrize("left", [MANIFEST, MANIFEST + ".partial", "text.txt.partial"])
def test_what_a_killed_process_left_half_written_is_no_part_of_the_result(store: Store, left: str) -> None:
    """Killed between the manifest's writing and its renaming, or the folder's, it leaves one that is soon replaced."""
    stage = Write(text="hello")
    partial = store.path(stage).with_name(store.path(stage).name + ".partial")
    partial.mkdir(parents=True)
    (partial / left).write_text("{")
    store.run(stage, silent)
    manifest = json.loads((store.folder(stage) / MANIFEST).read_text())
    assert set(manifest["files"]) == {"half.txt", "text.txt"}
