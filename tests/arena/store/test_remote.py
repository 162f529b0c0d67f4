import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.plan import Planner
from distillgame.arena.plan.targets import GivenTarget
from distillgame.arena.run import Run
from distillgame.arena.run.spent import restore
from distillgame.arena.stages import MODEL, TRACES, GivenStage, Stage, StageContext
from distillgame.arena.store import MANIFEST, Cache, Store, holding
from distillgame.arena.store.bucket import Bucket
from distillgame.arena.store.lease import Lease
from distillgame.arena.store.remote import MANIFESTS, Remote
from distillgame.errors import DistillgameError
from distillgame.students import StudentChoice
from tests.objects import Fault, Objects


def given(path: Path, text: str = "1") -> GivenStage:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]
    path.write_text(json.dumps({"messages": messages, "finish_reason": "stop"}) + "\n")
    return GivenStage.of(path)


def node(root: Path, url: str, bound: float | None = None) -> Store:
    return Store(root, "cpu", Remote(Bucket(url, patience=0.5)), None if bound is None else Cache(root, bound))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """The stages that were computed, in order."""
    seen: list[Stage] = []
    compute: Callable[[Any, StageContext], None] = GivenStage.run

    def run(self: GivenStage, context: StageContext) -> None:
        seen.append(self)
        compute(self, context)

    monkeypatch.setattr(GivenStage, "run", run)
    return seen


def test_what_one_node_finished_others_have(store: Objects, url: str, tmp_path: Path, runs: list[Stage]) -> None:
    stage = given(tmp_path / "t.jsonl")
    first, second = node(tmp_path / "a", url), node(tmp_path / "b", url)
    assert not second.has(stage)
    first.run(stage, lambda *_: None)
    assert not second.has(stage)  # A listing is believed for some seconds,
    assert second.has(stage, fresh=True)  # unless it must not be.
    copy = second.folder(stage)
    assert (copy / TRACES).read_bytes() == (first.folder(stage) / TRACES).read_bytes()
    second.run(stage, lambda *_: None)
    assert runs == [stage]


def test_the_manifest_comes_last_and_names_files_of_its_own(store: Objects, url: str, tmp_path: Path) -> None:
    stage = given(tmp_path / "t.jsonl")
    first = node(tmp_path / "a", url)
    first.run(stage, lambda *_: None)
    puts = [path for method, path in store.requests if method == "PUT" and "leases" not in path]
    assert [MANIFESTS in path for path in puts] == [False, True]
    # A late second result leaves nothing.
    other = node(tmp_path / "b", url)
    assert other.remote is not None
    shutil.copytree(first.path(stage), tmp_path / "late")
    assert not other.remote.publish(
        first.path(stage).name, tmp_path / "late", json.loads((tmp_path / "late" / MANIFEST).read_text())
    )
    assert len(Bucket(url)._files.find(f"{Bucket(url)._root}/stages")) == 1


@pytest.mark.parametrize("fault", [Fault(507, "XMinioStorageFull"), Fault(403, "AccessDenied"), Fault(500)])
def test_a_result_that_the_store_does_not_take_is_kept_here(
    store: Objects, url: str, tmp_path: Path, runs: list[Stage], fault: Fault
) -> None:
    stage = given(tmp_path / "t.jsonl")
    store.fault = lambda method, path: fault if method == "PUT" and "/stages/" in path else None
    with pytest.raises(DistillgameError, match=url):
        node(tmp_path / "a", url).run(stage, lambda *_: None)
    assert not node(tmp_path / "b", url).has(stage)
    store.fault = lambda method, path: None
    node(tmp_path / "a", url).run(stage, lambda *_: None)
    assert node(tmp_path / "b", url).has(stage)
    assert runs == [stage]


def test_a_lost_answer_to_the_manifest_is_no_second_result(store: Objects, url: str, tmp_path: Path) -> None:
    stage, cut = given(tmp_path / "t.jsonl"), [Fault(cut=True)]
    store.fault = lambda method, path: cut.pop() if cut and method == "PUT" and MANIFESTS in path else None
    first = node(tmp_path / "a", url)
    first.run(stage, lambda *_: None)
    assert not cut
    assert (node(tmp_path / "b", url).folder(stage) / TRACES).is_file()


def test_a_corrupt_or_missing_object_is_refused(store: Objects, url: str, tmp_path: Path) -> None:
    stage = given(tmp_path / "t.jsonl")
    node(tmp_path / "a", url).run(stage, lambda *_: None)
    bucket = Bucket(url)
    (file,) = bucket._files.find(f"{bucket._root}/stages")
    bucket._files.pipe_file(file, b"other")
    with pytest.raises(DistillgameError, match=rf"corrupt or missing; delete {url}/manifests/"):
        node(tmp_path / "b", url).folder(stage)
    bucket._files.rm_file(file)
    with pytest.raises(DistillgameError, match="missing in the store"):
        node(tmp_path / "c", url).folder(stage)
    assert not list((tmp_path / "c").rglob("*.arriving"))


def test_readers_of_one_node_do_not_disturb_each_other(store: Objects, url: str, tmp_path: Path) -> None:
    stages = [given(tmp_path / f"{number}.jsonl", str(number)) for number in range(5)]
    for stage in stages:
        node(tmp_path / "a", url).run(stage, lambda *_: None)

    def read(stage: GivenStage) -> bytes:
        path = node(tmp_path / "b", url).folder(stage) / TRACES
        return b"".join(path.read_bytes() for _ in range(20))

    with ThreadPoolExecutor(6) as pool:
        for stage in stages:
            assert len(set(pool.map(read, [stage] * 12))) == 1


def test_a_copy_that_changed_here_is_fetched_again(store: Objects, url: str, tmp_path: Path) -> None:
    stage = given(tmp_path / "t.jsonl")
    node(tmp_path / "a", url).run(stage, lambda *_: None)
    copy = node(tmp_path / "b", url).folder(stage) / TRACES
    whole = copy.read_bytes()
    copy.write_bytes(b"cut")
    assert (node(tmp_path / "b", url).folder(stage) / TRACES).read_bytes() == whole


def test_weights_are_deleted_everywhere_and_made_again(
    tiny: dict[str, Any], store: Objects, url: str, tmp_path: Path
) -> None:
    planner = Planner(load_config(tiny))
    target = GivenTarget.of(given(tmp_path / "t.jsonl", "2 legs\n#### 2"))
    stage = planner.distill(target, StudentChoice(name="passive"), 0)
    here = node(tmp_path / "a", url)
    for each in (*stage.inputs(), stage):
        here.run(each, lambda *_: None)
    assert here.has_weights(stage)
    here.delete_weights(stage)
    there = node(tmp_path / "b", url)
    assert not there.has_weights(stage)
    assert not (there.folder(stage) / MODEL).exists()
    restore(there, [*stage.inputs(), stage], every=True)
    assert not node(tmp_path / "c", url).has(stage)
    there.run(stage, lambda *_: None)
    assert here.has_weights(stage)
    assert (here.folder(stage) / MODEL).is_dir()


def test_copies_are_bounded_but_for_those_that_are_read(store: Objects, url: str, tmp_path: Path) -> None:
    stages = [given(tmp_path / f"{number}.jsonl", str(number)) for number in range(4)]
    for stage in stages:
        node(tmp_path / "a", url).run(stage, lambda *_: None)
    root = tmp_path / "b"
    reader = node(root, url, bound=1)
    kept = reader.folder(stages[0])
    for stage in stages[1:3]:
        node(root, url, bound=1e9).folder(stage)
    cleaner = Cache(root, 1)
    cleaner.release()
    assert [path.name for path in (root / "stages").iterdir()] == [kept.name]
    (root / "stages" / f"{kept.name}.0.arriving").mkdir()
    size = sum(path.stat().st_size for path in kept.rglob("*"))
    # Room for two: the one that was read last stays beside the one that is being read.
    for stage in stages[1:4]:
        visitor = node(root, url, bound=2.5 * size)
        visitor.folder(stage)
        Cache(root, 2.5 * size).release()
    left = {path.name for path in (root / "stages").iterdir() if path.suffix != ".arriving"}
    assert left == {kept.name, reader.path(stages[3]).name}
    assert (kept / TRACES).is_file()


def test_a_reader_that_waited_for_a_deletion_keeps_what_it_then_makes(tmp_path: Path) -> None:
    """The file of the lock is the same before and after."""
    copy = tmp_path / "stages" / "a"
    copy.mkdir(parents=True)
    Cache(tmp_path, 0).hold("a")
    before = (tmp_path / "uses" / "a").stat().st_ino
    (copy / "file").write_text("text")
    Cache(tmp_path, 0).release()
    assert not copy.exists()
    assert (tmp_path / "uses" / "a").stat().st_ino == before


def test_a_result_that_the_store_has_not_taken_is_never_evicted(tmp_path: Path) -> None:
    for name, manifest in {"own": {"files": {}}, "copy": {"files": {}, "at": "stages/copy/1"}}.items():
        (tmp_path / "stages" / name).mkdir(parents=True)
        (tmp_path / "stages" / name / MANIFEST).write_text(json.dumps(manifest))
    Cache(tmp_path, 0).release()
    assert [path.name for path in (tmp_path / "stages").iterdir()] == ["own"]


def test_one_run_holds_a_folder(store: Objects, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distillgame.arena.store.remote.EXPIRY", 0.5)
    with Lease(Bucket(url), "leases/run") as other:
        assert other.acquire(lambda: False)
        with pytest.raises(DistillgameError, match="another run is using this folder"), holding(url):
            pass
    with holding(url) as remote:
        assert remote.bucket.url == url


def test_results_are_copied(tiny: dict[str, Any], store: Objects, url: str, tmp_path: Path) -> None:
    config = load_config(tiny, overrides={"compute.store": url})
    (tmp_path / "run" / "rows").mkdir(parents=True)
    with Run(tmp_path / "run", config, progress=False):
        (tmp_path / "run" / "summary.md").write_text("one")
        (tmp_path / "run" / "rows" / "poe.json").write_text("two")
    assert (Bucket(url).read("summary.md"), Bucket(url).read("rows/poe.json")) == ("one", "two")
    assert Bucket(url).list("leases/run") == []
