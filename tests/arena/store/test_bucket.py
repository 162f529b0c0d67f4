import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from distillgame.arena.store.bucket import Bucket
from distillgame.arena.store.shelf import Folder, Shelf
from distillgame.errors import DistillgameError
from tests.objects import Fault, Objects


@pytest.fixture(params=["folder", "bucket"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path, store: Objects, url: str) -> Shelf:
    return Folder(tmp_path / "shelf") if request.param == "folder" else Bucket(url)


def test_a_file_is_created_once(shelf: Shelf) -> None:
    assert shelf.list("a") == []
    assert shelf.read("a/1") is None
    assert shelf.create("a/1", "one")
    assert not shelf.create("a/1", "two")
    assert shelf.read("a/1") == "one"
    shelf.write("a/1", "three")
    shelf.write("a/2", "")
    assert (shelf.read("a/1"), shelf.read("a/2"), shelf.list("a")) == ("three", "", ["1", "2"])
    shelf.delete("a/1")
    shelf.delete("a/1")
    assert shelf.list("a") == ["2"]


def test_of_several_at_once_one_creates_a_file(shelf: Shelf) -> None:
    with ThreadPoolExecutor(8) as pool:
        for place in range(5):
            created = list(pool.map(lambda number, place=place: shelf.create(f"b/{place}", str(number)), range(8)))
            assert sum(created) == 1
            assert shelf.read(f"b/{place}") == str(created.index(True))


def test_a_listing_goes_on_after_its_first_page(store: Objects, url: str) -> None:
    bucket = Bucket(url)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: bucket.write(f"many/{number:04d}", ""), range(1100)))
    before = len(store.requests)
    assert bucket.list("many") == [f"{number:04d}" for number in range(1100)]
    assert len(store.requests) - before == 2


def test_the_tests_store_keeps_what_it_acknowledged_when_its_server_is_killed(store: Objects, url: str) -> None:
    bucket = Bucket(url)
    assert bucket.create("a", "one")
    bucket.write("b", "two")
    bucket.write("b", "three")
    bucket.write("c", "four")
    bucket.delete("c")
    store.kill()
    with pytest.raises(DistillgameError, match="does not answer"), Bucket(url, patience=1).refusals_in_words():
        Bucket(url, patience=1).read("a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bucket.read, "b")
        store.start()
        assert waiting.result() == "three"
    assert (bucket.read("a"), bucket.read("c"), bucket.list("")) == ("one", None, ["a", "b"])
    assert not bucket.create("a", "five")


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(500)] * 3,
        [Fault(503, "SlowDown")] * 2,
        [Fault(cut=True)] * 2,
        [Fault(500, seconds=1.0), Fault(cut=True, seconds=1.0)],
    ],
    ids=["errors", "throttled", "cut off", "slow and broken"],
)
def test_what_passes_is_waited_for(store: Objects, url: str, tmp_path: Path, faults: list[Fault]) -> None:
    bucket = Bucket(url)
    content = bytes(range(256)) * 4000
    (tmp_path / "file").write_bytes(content)
    for operation in (
        lambda: bucket.upload(tmp_path / "file", "file"),
        lambda: bucket.download("file", tmp_path / "copy"),
        lambda: bucket.read("missing"),
        lambda: bucket.list(""),
    ):
        left = store.next(*faults)
        operation()
        assert not left
    assert (tmp_path / "copy").read_bytes() == content


def test_who_created_a_file_and_lost_the_answer_is_told_that_it_exists(store: Objects, url: str) -> None:
    """Leases and manifests rest on it: the text says whose it is."""
    bucket = Bucket(url)
    left = store.next(Fault(cut=True))
    assert not bucket.create("c", "mine")
    assert not left
    assert bucket.read("c") == "mine"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(403, "InvalidAccessKeyId"), "check the credentials"),
        (Fault(403, "SignatureDoesNotMatch"), "check the credentials"),
        (Fault(403, "AccessDenied"), "check the credentials"),
        (Fault(403, "RequestTimeTooSkewed"), "clock is wrong"),
        (Fault(400, "ExpiredToken"), "check the credentials"),
        (Fault(507, "XMinioStorageFull"), "the store is full"),
        (Fault(403, "QuotaExceeded"), "the store is full"),
        (Fault(404, "NoSuchBucket"), "no such bucket"),
        (Fault(500), "does not answer"),
    ],
)
def test_a_refusal_is_one_line(store: Objects, url: str, fault: Fault, words: str) -> None:
    bucket = Bucket(url, patience=0.5)
    store.fault = lambda method, path: fault
    started = time.monotonic()
    for operation in (lambda: bucket.create("d", ""), lambda: bucket.write("d", "")):
        with pytest.raises(DistillgameError, match=words) as raised, bucket.refusals_in_words():
            operation()
        assert str(raised.value).startswith(url)
        assert "\n" not in str(raised.value)
    if fault.status != 500:
        assert time.monotonic() - started < 20


def test_without_keys_nothing_is_tried_again(store: Objects, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DistillgameError, match="check the credentials"):
        Bucket(url).require_writable()


def test_a_store_that_ignores_conditions_is_refused(store: Objects, url: str) -> None:
    Bucket(url).require_writable()
    store.fault = lambda method, path: Fault(drop="if-none-match")
    with pytest.raises(DistillgameError, match="If-None-Match"):
        Bucket(url).require_writable()


@pytest.mark.parametrize("bad", ["s3://games", "ftp://games/run", "games/run", "s3://"])
def test_other_urls_are_refused(bad: str) -> None:
    with pytest.raises(DistillgameError, match="is not a folder in a bucket"):
        Bucket(bad)


def test_errors_of_this_machine_are_not_the_stores(store: Objects, url: str, tmp_path: Path) -> None:
    bucket = Bucket(url)
    cases: list[Callable[[], object]] = [(tmp_path / "missing").read_text, lambda: 1 / 0]
    for case in cases:
        with pytest.raises((FileNotFoundError, ZeroDivisionError)), bucket.refusals_in_words():
            case()
