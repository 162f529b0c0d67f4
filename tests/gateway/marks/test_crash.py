"""A server that is killed in the middle of its work has recorded the mark of all that it sent."""

from pathlib import Path

import pytest

from distillgame.gateway.ledger import open_database, reading
from distillgame.gateway.ledger.tables import marks

from ..servers import Running, server
from ..test_crash import attack
from .detecting import KEYED, MARKED, owners

LEASES = 16
"""Tokens of the first leases of two choices: whoever has more was sent some."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kill_9_under_load_loses_no_mark(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = None if kind == "sqlite" else str(request.getfixturevalue("postgres"))
    names = [f"killed-{kind}-{i}" for i in range(2)]
    with server(tmp_path, MARKED, url) as running:
        keys = [running.key("keyed", name) for name in names]
        results, thread = attack(running, keys, 120.0, lambda: running.process.poll() is not None, 12)
        while count(running, names, "finished") < 30 or count(running, names, "open", LEASES) < 2:
            assert thread.is_alive()
        running.process.kill()
        thread.join()
    broken = [received for received in results if received.ids and not received.finished]
    assert broken, "the server was killed while nothing was streaming: the test shows nothing"
    rows = {row.request: row for name in names for row in running.rows(owner=name)}
    assert any(row.outcome == "open" for row in rows.values())
    engine = open_database(running.url)
    with reading(engine) as connection:
        recorded = {row.entry: row for row in connection.execute(marks.select())}
    engine.dispose()
    for received in (received for received in results if received.ids):
        (request_id,) = received.ids
        row = rows[request_id.removeprefix("chatcmpl-")]
        assert '"keyed"' in recorded[row.id].mark
        assert row.tokens >= received.pieces * 8 - 7 * len(received.lasts)
    known = {name: one for (name, label, _), one in owners(running.url).items() if label == KEYED}
    for name in names:
        assert known[name].tokens == sum(row.tokens for row in rows.values() if row.owner == name)


def count(running: Running, names: list[str], outcome: str, tokens: int = 0) -> int:
    rows = (row for name in names for row in running.rows(owner=name, outcome=outcome))
    return sum(row.tokens > tokens for row in rows)
