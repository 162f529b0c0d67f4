"""The ledger's record of marks, in SQLite and in a real PostgreSQL."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.gateway.ledger import (
    Charge,
    EntryMark,
    GroupBy,
    Ledger,
    MarkedOwner,
    Offer,
    Party,
    Writer,
    accounts,
    ledger_digest,
    mark_key,
    mark_secret,
    mark_text,
    marked_by,
    marked_owners,
    marked_tokens,
    open_database,
    reading,
    stream_secret,
)
from distillgame.gateway.ledger.tables import entries, facts, marks

KEYED = NamedChoice(name="keyed", options={"width": 4, "salts": 1})
GREEN = NamedChoice(name="watermark", options={"width": 2, "delta": 1.5, "green": 0.25, "salts": 1})


@pytest.fixture
def writer(database: str) -> Iterator[Writer]:
    made = Writer(open_database(database))
    made.submit(lambda connection: connection.execute(delete(marks))).result()
    yield made
    made.close()


def owner() -> str:
    return "o" + secrets.token_hex(4)


def play(writer: Writer, *plays: tuple[str, NamedChoice | None, int, int | None]) -> None:
    """Open a lease of 64 tokens for each owner, mark and epoch, and settle it with tokens, unless they are None."""

    async def run() -> None:
        for whose, mark, epoch, tokens in plays:
            entry = None if mark is None else EntryMark(mark_text(mark), epoch)
            offer = Offer("poe", "poe gamma=0.5", Charge(64, 1.0, 1.0), None, entry)
            lease = await Ledger(writer).open(Party("k", whose, "standard"), "r", [offer])
            if tokens is not None:
                await lease.cover(Charge(tokens, 0.5, 0.5))
                lease.settle("finished")

    asyncio.run(run())


def found(writer: Writer) -> list[MarkedOwner]:
    # Settlements are queued: a change behind them waits for them.
    writer.submit(lambda _: None).result()
    with reading(writer.engine) as connection:
        return marked_owners(connection)


def test_marked_tokens_add_up_by_owner_mark_and_epoch(writer: Writer) -> None:
    secret = writer.submit(mark_secret).result()
    ann, bob = sorted((owner(), owner()))
    play(
        writer, (ann, KEYED, 3, 10), (ann, KEYED, 3, 20), (ann, KEYED, 4, 5), (ann, GREEN, 3, 7), (ann, None, 3, 100),
        (bob, KEYED, 3, 1), (bob, KEYED, 9, 0),
    )  # fmt: skip
    wanted = [(ann, KEYED, 3, 30), (ann, KEYED, 4, 5), (ann, GREEN, 3, 7), (bob, KEYED, 3, 1)]
    rows = found(writer)
    assert [(one.owner, one.mark, one.epoch, one.tokens) for one in rows] == wanted
    assert [one.key for one in rows] == [mark_key(secret, mark_text(one.mark), one.owner, one.epoch) for one in rows]
    assert len({one.key for one in rows}) == 4
    (account,) = writer.submit(lambda connection: accounts(connection, "owner", owner=ann)).result()
    assert (account.tokens, account.marked) == (142, 42)
    (mine,) = writer.submit(lambda connection: marked_tokens(connection, owner=bob)).result()
    assert (mine.tokens, mine.first) == (1, mine.last)
    splits: list[tuple[GroupBy, list[str]]] = [
        ("owner", [ann] * 3 + [bob]),
        ("key", ["k"] * 4),
        ("policy", ["poe"] * 4),
    ]
    for by, names in splits:
        with reading(writer.engine) as connection:
            split = marked_by(connection, by)
        flat = [(name, one.owner, one.mark, one.epoch, one.tokens) for name, ones in split.items() for one in ones]
        assert flat == [(name, *row) for name, row in zip(names, wanted, strict=True)]


def test_a_lease_that_was_never_settled_counts_in_full(writer: Writer) -> None:
    """As after kill -9: what may have left is marked, and its row was committed before."""
    writer.submit(mark_secret).result()
    ann = owner()
    play(writer, (ann, KEYED, 3, None))
    assert [(one.owner, one.tokens) for one in found(writer)] == [(ann, 64)]


def test_a_lease_that_is_extended_stays_marked(writer: Writer) -> None:
    writer.submit(mark_secret).result()
    ann = owner()
    play(writer, (ann, KEYED, 3, 500))
    assert [one.tokens for one in found(writer)] == [500]


def test_a_ledger_without_marks_has_no_marked_owners(writer: Writer) -> None:
    play(writer, (owner(), None, 0, 10))
    assert found(writer) == []


def test_marks_without_their_secret_are_said_in_one_line(writer: Writer) -> None:
    play(writer, (owner(), KEYED, 3, 10))
    writer.submit(lambda connection: connection.execute(delete(facts).where(facts.c.name == "mark secret"))).result()
    with pytest.raises(DistillgameError, match="the secret of their keys is missing") as error:
        found(writer)
    assert "\n" not in str(error.value)


def test_the_secret_is_one_of_its_own_and_stays(writer: Writer, database: str) -> None:
    first = writer.submit(mark_secret).result()
    other = open_database(database)
    with other.begin() as connection:
        assert mark_secret(connection) == first != stream_secret(connection)
    other.dispose()


def test_reading_marks_writes_nothing(writer: Writer) -> None:
    writer.submit(mark_secret).result()
    play(writer, (owner(), KEYED, 3, 10))
    found(writer)
    with reading(writer.engine) as connection:
        connection.exec_driver_sql(
            "SET TRANSACTION READ ONLY" if connection.dialect.name == "postgresql" else "PRAGMA query_only = ON"
        )
        assert len(marked_owners(connection)) == 1
        assert len(ledger_digest(connection)) == 64


def test_the_digest_is_that_of_the_marked_entries(writer: Writer) -> None:
    """Recomputed from its description."""
    import hashlib

    ann = owner()
    play(writer, (ann, KEYED, 3, 10), (ann, None, 3, 10), (ann, GREEN, 5, 10))

    def digest(connection: Connection) -> tuple[str, str]:
        lines = []
        for entry, mark, epoch in sorted(tuple(row) for row in connection.execute(select(marks))):
            row = connection.execute(select(entries).where(entries.c.id == entry)).one()
            named = [getattr(row, name) for name in ("id", "request", "owner", "day", "outcome", "tokens")]
            lines.append(json.dumps([*named, mark, epoch]) + "\n")
        assert len(lines) == 2
        return ledger_digest(connection), hashlib.sha256("".join(lines).encode()).hexdigest()

    first, wanted = writer.submit(digest).result()
    assert first == wanted
    play(writer, (ann, None, 3, 10))
    assert writer.submit(ledger_digest).result() == first
    play(writer, (ann, KEYED, 3, None))
    assert writer.submit(ledger_digest).result() != first


def test_equal_marks_have_one_text_and_keys_differ_in_everything() -> None:
    swapped = NamedChoice(name="keyed", options={"salts": 1, "width": 4})
    assert mark_text(swapped) == mark_text(KEYED) == '{"name":"keyed","options":{"salts":1,"width":4}}'
    asked = [
        (b"a" * 32, KEYED, "ann", 1), (b"b" * 32, KEYED, "ann", 1), (b"a" * 32, GREEN, "ann", 1),
        (b"a" * 32, KEYED, "bob", 1), (b"a" * 32, KEYED, "ann", 2),
    ]  # fmt: skip
    assert len({mark_key(secret, mark_text(mark), whose, epoch) for secret, mark, whose, epoch in asked}) == 5


def test_a_database_from_before_marks_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    writer = Writer(open_database(url))
    play(writer, ("ann", None, 0, 10))
    writer.submit(lambda connection: connection.exec_driver_sql("DROP TABLE marks")).result()
    writer.close()
    again = Writer(open_database(url))
    again.submit(mark_secret).result()
    assert found(again) == []
    play(again, ("ann", KEYED, 2, 7))
    assert [(one.owner, one.tokens) for one in found(again)] == [("ann", 7)]
    again.close()
