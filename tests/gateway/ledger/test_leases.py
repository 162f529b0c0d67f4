"""Leases, settlements and budgets, in SQLite and in a real PostgreSQL."""

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger import (
    NOTHING,
    Budget,
    Charge,
    Lease,
    Ledger,
    Offer,
    OverBudgetError,
    Party,
    Writer,
    accounts,
    day_of,
    history,
    leases,
    open_database,
    reading,
)
from distillgame.gateway.ledger import writer as writer_module
from distillgame.gateway.ledger.tables import balances, entries

LEASE = Charge(64, 10.0, 20.0)


@pytest.fixture
def writer(database: str) -> Iterator[Writer]:
    made = Writer(open_database(database))
    yield made
    made.close()


def someone() -> Party:
    return Party("k" + secrets.token_hex(4), "o" + secrets.token_hex(4), "standard")


def offer(budget: Budget | None = None, policy: str = "poe") -> Offer:
    return Offer(policy, f"{policy} gamma=0.5", LEASE, budget)


def balance(writer: Writer, party: Party) -> tuple[float, float, float]:
    def read(connection):  # type: ignore[no-untyped-def]
        row = connection.execute(select(balances).where(balances.c.owner == party.owner)).one()
        return row.tokens, row.kl, row.value

    return writer.submit(read).result()  # type: ignore[no-any-return]


def entry(writer: Writer, party: Party):  # type: ignore[no-untyped-def]
    return writer.submit(lambda c: c.execute(select(entries).where(entries.c.owner == party.owner)).one()).result()


def test_a_lease_counts_as_spent_until_it_is_settled(writer: Writer) -> None:
    party = someone()

    async def play() -> None:
        lease = await Ledger(writer).open(party, "r1", [offer()])
        assert balance(writer, party) == (64, 10.0, 20.0)
        assert entry(writer, party).outcome == "open"
        await lease.cover(Charge(8, 1.0, 2.5))
        await lease.cover(Charge(5, 0.5, 0.0, 1))
        lease.prompt_tokens = 7
        lease.settle("finished")
        lease.settle("cancelled")

    asyncio.run(play())
    assert balance(writer, party) == pytest.approx((13, 1.5, 2.5))
    row = entry(writer, party)
    assert (row.outcome, row.tokens, row.kl, row.value, row.unvalued, row.prompt_tokens) == (
        "finished", 13, 1.5, 2.5, 1, 7,
    )  # fmt: skip
    assert row.settled >= row.opened


def test_what_is_sent_is_covered_by_what_is_committed_at_any_time(writer: Writer) -> None:
    party = someone()

    async def play() -> None:
        lease = await Ledger(writer).open(party, "r", [offer()])
        sent = NOTHING
        for _ in range(60):
            piece = Charge(8, 3.0, 7.0)
            await lease.cover(piece)
            sent += piece
            row = entry(writer, party)
            assert row.tokens >= sent.tokens
            assert row.kl >= (sent.kl or 0)
            assert row.value >= (sent.value or 0)
        # Dropped here, as by a crash: the lease stands and is no less than what was sent.

    asyncio.run(play())
    row = entry(writer, party)
    assert row.outcome == "open"
    assert (row.tokens, row.kl, row.value) == pytest.approx(balance(writer, party))
    assert row.tokens < 480 + 3 * 64


def test_unmeasured_releases_are_null(writer: Writer) -> None:
    party = someone()

    async def play() -> None:
        lease = await Ledger(writer).open(party, "r", [Offer("poe", "poe", Charge(100, None, None), None)])
        await lease.cover(Charge(9, None, None))
        lease.settle("finished")

    asyncio.run(play())
    row = entry(writer, party)
    assert (row.tokens, row.kl, row.value) == (9, None, None)
    (account,) = writer.submit(lambda c: accounts(c, "owner", owner=party.owner)).result()
    assert (account.kl, account.value, account.unmeasured) == (None, None, 1)


def test_a_hard_budget_is_never_exceeded_by_many_at_once(database: str) -> None:
    """Two servers on one database, forty requests at once, each of which would like 50 nats."""
    party, budget = someone(), Budget(value_per_day=300, beyond="refuse")
    writers = [Writer(open_database(database)) for _ in range(2)]
    peak: list[float] = []
    outcomes: list[str] = []

    async def one(writer: Writer) -> None:
        try:
            lease = await Ledger(writer).open(party, "r", [offer(budget)])
        except OverBudgetError:
            outcomes.append("refused")
            return
        try:
            for _ in range(10):
                await lease.cover(Charge(8, 0.1, 5.0))
            outcomes.append("whole")
        except OverBudgetError:
            outcomes.append("cut")
        peak.append(balance(writer, party)[2])
        lease.settle("finished")

    async def serve(writer: Writer) -> None:
        await asyncio.gather(*(one(writer) for _ in range(20)))

    threads = [threading.Thread(target=lambda w=w: asyncio.run(serve(w))) for w in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(peak) <= 300 + 1e-6
    total = balance(writers[0], party)[2]
    assert {"refused"} < set(outcomes)
    assert total <= 300 + 1e-6
    settled = writers[0].submit(lambda c: accounts(c, "owner", owner=party.owner)).result()[0]
    assert settled.value == pytest.approx(total)
    for writer in writers:
        writer.close()


def test_past_a_soft_budget_the_stronger_policy_is_granted_and_nothing_begun_is_cut(writer: Writer) -> None:
    party, budget = someone(), Budget(value_per_day=50, beyond="strong")

    async def play() -> list[str]:
        policies = []
        for _ in range(4):
            lease = await Ledger(writer).open(party, "r", [offer(budget), offer(None, "strong")])
            policies.append(lease.offer.policy)
            await lease.cover(Charge(8, 1.0, 25.0))
            lease.settle("finished")
        return policies

    # The first takes 25, the second another 25; then nothing is left.
    assert asyncio.run(play()) == ["poe", "poe", "strong", "strong"]
    assert balance(writer, party)[2] == pytest.approx(100)


@pytest.mark.parametrize("budget", [Budget(tokens_per_day=70), Budget(kl_per_day=11), Budget(value_per_day=21)])
def test_each_kind_of_budget_refuses(writer: Writer, budget: Budget) -> None:
    party = someone()

    async def play() -> None:
        await Ledger(writer).open(party, "r", [offer(budget)])
        # Too little is left for another lease, so nothing is leased, and nothing can be sent.
        second = await Ledger(writer).open(party, "r", [offer(budget)])
        with pytest.raises(OverBudgetError):
            await second.cover(Charge(8, 2.0, 2.0))

    asyncio.run(play())


def test_owners_are_apart_and_keys_of_an_owner_together(writer: Writer) -> None:
    budget = Budget(tokens_per_day=100)
    first = someone()
    sibling, stranger = Party("other", first.owner, "trusted"), someone()

    async def play() -> None:
        await Ledger(writer).open(first, "r", [offer(budget)])
        with pytest.raises(OverBudgetError):
            await (await Ledger(writer).open(sibling, "r", [offer(budget)])).cover(Charge(40, 0.0, 0.0))
        await (await Ledger(writer).open(stranger, "r", [offer(budget)])).cover(Charge(40, 0.0, 0.0))

    asyncio.run(play())


def test_no_output_refunds_a_budget() -> None:
    assert Charge.measure(3, [0.5, -0.2, 0.1], [-4.0, 2.0, float("nan")]) == Charge(3, 0.6, 2.0, 1)
    assert Charge.measure(2, [], []) == Charge(2, None, None, 0)
    assert Charge.measure(2, [0.0, 0.0], []) == Charge(2, 0.0, None, 0)


@pytest.mark.parametrize("begun", [False, True])
def test_a_request_that_leaves_while_it_waits_for_its_lease_costs_nothing(
    writer: Writer, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its lease was still queued or being written when it left."""
    party, entered, hold = someone(), threading.Event(), threading.Event()

    def slow(seconds: float) -> str:
        entered.set()
        hold.wait(60)
        return day_of(seconds)

    async def play() -> None:
        if begun:
            monkeypatch.setattr(leases, "day_of", slow)
        else:
            writer.submit(lambda _: slow(0))
        task = asyncio.ensure_future(Ledger(writer).open(party, "r", [offer()]))
        while not entered.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        hold.set()

    asyncio.run(play())
    rows = writer.submit(lambda c: list(c.execute(select(entries).where(entries.c.owner == party.owner)))).result()
    end = time.monotonic() + 60
    while any(row.outcome == "open" for row in rows) and time.monotonic() < end:
        rows = writer.submit(lambda c: list(c.execute(select(entries).where(entries.c.owner == party.owner)))).result()
    assert [(row.outcome, row.tokens) for row in rows] in ([[("cancelled", 0)]] if begun else [[("cancelled", 0)], []])
    if rows:
        assert balance(writer, party) == (0, 0.0, 0.0)


@pytest.mark.parametrize("beyond", ["refuse", "strong"])
def test_a_budget_smaller_than_a_lease_is_still_spent(writer: Writer, beyond: str) -> None:
    party, budget = someone(), Budget(value_per_day=12, beyond=beyond)

    async def play() -> list[str]:
        granted = []
        for _ in range(4):
            try:
                lease = await Ledger(writer).open(party, "r", [offer(budget)])
                await lease.cover(Charge(8, 0.5, 4.0))
                granted.append("whole")
            except OverBudgetError:
                granted.append("refused")
                continue
            lease.settle("finished")
        return granted

    assert asyncio.run(play()) == ["whole", "whole", "whole", "refused"]
    assert balance(writer, party)[2] == pytest.approx(12)


def test_a_transaction_that_fails_grants_nothing(writer: Writer) -> None:
    party, entered, hold = someone(), threading.Event(), threading.Event()

    def broken(connection):  # type: ignore[no-untyped-def]
        connection.exec_driver_sql("SELECT * FROM nowhere")

    def wait(_):  # type: ignore[no-untyped-def]
        entered.set()
        hold.wait(60)

    async def play() -> None:
        writer.submit(wait)
        while not entered.is_set():
            await asyncio.sleep(0.01)
        task = asyncio.ensure_future(Ledger(writer).open(party, "r", [offer()]))
        await asyncio.sleep(0.01)
        writer.submit(broken)
        # Both have waited, and so share a transaction.
        hold.set()
        with pytest.raises(SQLAlchemyError):
            await task

    asyncio.run(play())
    assert (
        writer.submit(lambda c: list(c.execute(select(entries).where(entries.c.owner == party.owner)))).result() == []
    )


def test_a_settlement_is_tried_again_while_the_database_is_away(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.01)
    party, tried = someone(), []
    settle = Lease._settle

    def failing(lease: Lease, connection: Connection, outcome: str) -> None:
        tried.append(outcome)
        if len(tried) < 3:
            raise OperationalError("", {}, Exception("away"))
        settle(lease, connection, outcome)

    monkeypatch.setattr(Lease, "_settle", failing)

    async def play() -> None:
        lease = await Ledger(writer).open(party, "r", [offer()])
        await lease.cover(Charge(8, 1.0, 2.0))
        lease.settle("finished")

    asyncio.run(play())

    def outcome() -> str:
        # Beside the writer: a query in a transaction that fails would fail with it.
        with reading(writer.engine) as connection:
            return str(connection.scalar(select(entries.c.outcome).where(entries.c.owner == party.owner)))

    end = time.monotonic() + 60
    while outcome() == "open" and time.monotonic() < end:
        time.sleep(0.01)
    assert len(tried) == 3
    assert balance(writer, party) == pytest.approx((8, 1.0, 2.0))


def test_a_key_over_time(writer: Writer) -> None:
    party = someone()

    async def play() -> None:
        for amount in (1.0, 2.0):
            lease = await Ledger(writer).open(party, "r", [offer()])
            await lease.cover(Charge(1, amount, amount))
            lease.settle("finished")

    asyncio.run(play())
    steps = writer.submit(lambda c: history(c, "key", 0, 60, party.owner)).result()
    assert sum(step.value for step in steps) == 3.0
    assert {step.name for step in steps} == {party.key}
    assert all(step.start % 60 == 0 for step in steps)


def test_a_long_look_holds_nobody_up(writer: Writer) -> None:
    party = someone()

    async def play() -> None:
        with reading(writer.engine) as connection:
            before = connection.scalar(select(func.count()).select_from(entries))
            await asyncio.wait_for(Ledger(writer).open(party, "r", [offer()]), 2)
            seen = connection.scalar(select(func.count()).select_from(entries))
            assert seen == before or connection.dialect.name == "postgresql"

    asyncio.run(play())


def test_days_are_utc() -> None:
    assert day_of(0) == "1970-01-01"
    assert day_of(86_399.9) == "1970-01-01"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://a:secret@b/c", "only sqlite and postgresql"),
        ("sqlite://", "name a file"),
        ("sqlite:////nowhere/at/all.db", "No such file"),
        ("postgresql://u:secret@127.0.0.1:1/x", "127.0.0.1"),
    ],
)
def test_a_database_out_of_reach_is_one_line_without_a_password(url: str, said: str) -> None:
    with pytest.raises(DistillgameError, match=said) as error:
        open_database(url)
    assert "secret" not in str(error.value)


def test_tables_of_another_version_are_refused(database: str) -> None:
    if database.startswith("postgresql"):
        pytest.skip("the tests' tables are shared")
    engine = open_database(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE facts SET value = '99' WHERE name = 'schema'")
    with pytest.raises(DistillgameError, match="version 99"):
        open_database(database)
