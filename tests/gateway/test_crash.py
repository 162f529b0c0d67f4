"""A server that is killed in the middle of its work has accounted for all that it sent."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.load import Received, load

from .servers import CONFIG, Running, server

PROMPTS = ["4 dog , 3 ant", "7 zebra , 2 cow , 1 spider", "9 lion , 5 crab , 3 bee", "2 elephant , 6 duck"]


def attack(
    running: Running, keys: list[str], seconds: float, over: Callable[[], bool] = lambda: False, clients: int = 24
) -> tuple[list[Received], threading.Thread]:
    results: list[Received] = []

    def play() -> None:
        results.extend(
            asyncio.run(
                load(
                    running.port,
                    keys,
                    clients,
                    seconds,
                    lambda i: PROMPTS[i % 4],
                    lambda i: {"n": 1 + i % 2, "seed": i},
                    over,
                )
            )
        )

    thread = threading.Thread(target=play)
    thread.start()
    return results, thread


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kill_9_under_load_loses_no_accounted_release(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = None if kind == "sqlite" else str(request.getfixturevalue("postgres"))
    with server(tmp_path, CONFIG, url) as running:
        keys = [running.key("standard", f"crash-{kind}-{i}") for i in range(3)]
        results, thread = attack(running, keys, 120.0, lambda: running.process.poll() is not None)
        end = time.monotonic() + 100
        while _finished(running, f"crash-{kind}") < 80 and time.monotonic() < end:
            time.sleep(0.1)
        running.process.kill()
        thread.join()
    rows = {row.request: row for row in running.rows() if row.owner.startswith(f"crash-{kind}")}
    got = [received for received in results if received.ids]
    broken = [received for received in got if not received.finished]
    assert len(got) > 50
    assert broken, "the server was killed while nothing was streaming: the test shows nothing"
    for received in got:
        (name,) = received.ids
        row = rows[name.removeprefix("chatcmpl-")]
        # Chunks of eight tokens; what was sent is no more than what the ledger has, whether settled or leased.
        assert row.tokens >= received.pieces * 8 - 7 * len(received.lasts)
        if received.finished:
            assert (row.tokens, row.outcome) in {(received.tokens, "finished"), (row.tokens, "open")}
            assert row.tokens >= (received.tokens or 0)
    assert Counter(row.outcome for row in rows.values())["open"] >= 1
    with server(tmp_path, CONFIG, url) as again:
        prober = again.key("standard", f"prober-{kind}")
        for received in [r for r in broken if r.seed % 2 == 0][:12]:
            (name,) = received.ids
            # The same draw once more, cut where the crash cut it: what was sent cost this much.
            assert (
                again.ask(prober, received.prompt, seed=received.seed, max_tokens=8 * received.pieces).status_code
                == 200
            )
            cost, row = again.settled(owner=f"prober-{kind}")[-1], rows[name.removeprefix("chatcmpl-")]
            assert row.outcome == "open"
            assert (row.tokens, row.kl, row.value) >= (cost.tokens, 0, 0)
            assert row.kl >= cost.kl - 1e-6
            assert row.value >= cost.value - 1e-6
        balance = _balances(again, f"crash-{kind}")
        assert balance == pytest.approx(sum(row.value for row in rows.values()))
        assert again.ask(keys[0]).status_code == 200


def _finished(running: Running, prefix: str) -> int:
    return sum(row.owner.startswith(prefix) for row in running.rows(outcome="finished"))


def _balances(running: Running, prefix: str) -> float:
    from sqlalchemy import select

    from distillgame.gateway.ledger import open_database
    from distillgame.gateway.ledger.tables import balances

    engine = open_database(running.url)
    with engine.begin() as connection:
        found = list(connection.execute(select(balances)))
    engine.dispose()
    return float(sum(row.value for row in found if row.owner.startswith(prefix)))


def test_ledger_sums_are_what_clients_received(running: Running) -> None:
    keys = [running.key("standard", f"sums-{i}") for i in range(3)]
    results, thread = attack(running, keys, 2.0)
    thread.join()
    assert all(received.finished and received.status == 200 for received in results)
    assert len({name for received in results for name in received.ids}) == len(results)
    rows = [row for i in range(3) for row in running.settled(owner=f"sums-{i}")]
    assert sum(row.tokens for row in rows) == sum(received.tokens or 0 for received in results)
    assert {row.outcome for row in rows} == {"finished"}


def test_the_engine_dies_with_the_server(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        engine = _engine(running)
        running.process.kill()
        end = time.monotonic() + 60
        while engine in _processes(running) and time.monotonic() < end:
            time.sleep(0.05)
        assert not _processes(running)


def test_a_server_whose_engine_dies_ends_and_says_why(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        key = running.key(owner="bereft")
        results, thread = attack(running, [key], 3.0)
        time.sleep(1.0)
        os.kill(_engine(running), signal.SIGKILL)
        assert running.process.wait(120) == 2
        thread.join()
        assert "the engine's process is gone" in (running.folder / "log").read_text()
        assert {row.outcome for row in running.rows(owner="bereft")} <= {"finished", "error", "cancelled"}
        assert {received.status for received in results} <= {0, 200, 503}


def _processes(running: Running) -> set[int]:
    """The processes of a server, by their working directory."""
    found = set()
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and (process / "cwd").resolve(strict=True) == running.folder.resolve():
                found.add(int(process.name))
    return found


def _engine(running: Running) -> int:
    (engine,) = _processes(running) - {running.process.pid}
    return engine
