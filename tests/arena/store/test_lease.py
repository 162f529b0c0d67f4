import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from distillgame.arena.store.bucket import Bucket
from distillgame.arena.store.lease import Lease, LeaseLostError
from distillgame.arena.store.shelf import Folder, Shelf
from tests.objects import Fault, Objects


def held(shelf: Shelf, beat: float = 0.05, expiry: float = 30.0) -> Lease:
    lease = Lease(shelf, "leases/stage", beat, expiry)
    assert lease.acquire(lambda: False)
    return lease


def test_a_lease_is_held_until_it_is_given_back(tmp_path: Path) -> None:
    shelf = Folder(tmp_path)
    with held(shelf) as first:
        first.require()
        deadline = time.monotonic() + 0.5
        with Lease(shelf, "leases/stage", 0.05, 30.0) as second:
            assert not second.acquire(lambda: time.monotonic() > deadline)
        first.require()
    assert not (tmp_path / "leases" / "stage").exists()
    with held(shelf) as third:
        third.require()


def test_whoever_waited_learns_that_the_stage_is_finished(tmp_path: Path) -> None:
    """Also when the holder gave the right back between two looks: nobody computes what is finished."""
    shelf, finished = Folder(tmp_path), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with held(shelf):
            waiting = pool.submit(lambda: Lease(shelf, "leases/stage", 0.05, 30.0).acquire(finished.is_set))
            time.sleep(0.2)
            finished.set()
        assert waiting.result() is False

    answers = iter([False, True])
    with Lease(shelf, "leases/stage", 0.05, 30.0) as lease:
        assert not lease.acquire(lambda: next(answers))


def test_a_silent_holder_loses_it_and_is_told(tmp_path: Path) -> None:
    shelf = Folder(tmp_path)
    with held(shelf, beat=1000.0) as silent:
        # It is alive, on this machine, and does not beat.
        with held(shelf, beat=0.05, expiry=0.4) as other:
            other.require()
            with pytest.raises(LeaseLostError):
                silent.require()
            assert silent.lost
        assert shelf.list("leases/stage") == []


def test_a_beating_holder_keeps_it(tmp_path: Path) -> None:
    shelf = Folder(tmp_path)
    with held(shelf, beat=0.05) as first:
        deadline = time.monotonic() + 1.5
        with Lease(shelf, "leases/stage", 0.05, 0.5) as second:
            assert not second.acquire(lambda: time.monotonic() > deadline)
        first.require()


def test_the_death_of_a_process_of_this_machine_is_seen_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from distillgame.arena.store.lease import Lease; "
        "from distillgame.arena.store.shelf import Folder; "
        "lease = Lease(Folder(Path(sys.argv[1])), 'leases/stage'); lease.acquire(lambda: False); "
        "print('held', flush=True); "
        "time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.wait()
    started = time.monotonic()
    with held(Folder(tmp_path), beat=10.0, expiry=60.0):
        assert time.monotonic() - started < 30
    # Its process id means nothing on another machine.
    holder_text = {"holder": "x", "beat": 0, "machine": "elsewhere", "pid": holder.pid, "started": "1", "node": "b"}
    Folder(tmp_path).create("leases/stage/000001", json.dumps(holder_text))
    deadline = time.monotonic() + 0.5
    with Lease(Folder(tmp_path), "leases/stage", 0.05, 60.0) as waiting:
        assert not waiting.acquire(lambda: time.monotonic() > deadline)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
@pytest.mark.parametrize("dead", [False, True])
def test_of_many_one_holds_it_at_a_time(kind: str, dead: bool, tmp_path: Path, store: Objects, url: str) -> None:
    """Each adds to a count under the lease: what they add would be lost if two held it."""
    shelf: Shelf = Folder(tmp_path) if kind == "folder" else Bucket(url)
    if dead:  # Then the first takes it over.
        shelf.create("leases/stage/000001", json.dumps({"holder": "x", "machine": "elsewhere", "pid": 1}))
    held_now, most, turns = [0], [0], [0]
    guard = threading.Lock()

    def work(_: int) -> None:
        with Lease(shelf, "leases/stage", 0.05, 1.0) as lease:
            assert lease.acquire(lambda: False)
            with guard:
                held_now[0] += 1
                most[0] = max(most[0], held_now[0])
            time.sleep(0.01)
            with guard:
                held_now[0] -= 1
                turns[0] += 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(18)))
    assert (most[0], turns[0]) == (1, 18)


def test_time_without_an_answer_does_not_count_against_the_holder(store: Objects, url: str) -> None:
    """After an outage longer than the expiry, whoever waits waits on."""
    shelf = Bucket(url)
    with held(shelf, beat=0.2) as first, ThreadPoolExecutor(1) as pool:
        ended = threading.Event()
        waiting = pool.submit(lambda: Lease(shelf, "leases/stage", 0.2, 1.0).acquire(ended.is_set))
        time.sleep(0.5)
        store.fault = lambda method, path: Fault(503, "SlowDown")
        time.sleep(3.0)
        store.fault = lambda method, path: None
        time.sleep(1.5)
        assert not waiting.done()
        first.require()
        ended.set()
        assert waiting.result() is False
