"""The owner's page: releases per owner and key, budgets and refusals."""

import base64
import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from string import Template

from sqlalchemy import Connection

from distillgame.gateway.ledger import (
    NOTHING,
    Account,
    Budget,
    Interval,
    Key,
    MarkedTokens,
    Writer,
    accounts,
    day_of,
    flagged_owners,
    history,
    list_keys,
    marked_tokens,
    refused,
    spent_on,
)
from distillgame.markup import Html, element, joined, table

REFRESH_SECONDS = 10
"""Interval at which the page reloads itself."""

HOURS = 24
"""Hours that the page covers."""


async def render_dashboard(writer: Writer, model: str, budgets: Mapping[str, Budget | None]) -> tuple[str, str]:
    """Return the page and its content security policy, which allows no script and nothing from other origins.

    Args:
        writer: Reads the database.
        model: The name of the model.
        budgets: The budget of each tier.
    """
    page = await writer.read(lambda connection: _page(connection, model, budgets))
    digest = base64.b64encode(hashlib.sha256(_asset("dashboard.css").encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _page(connection: Connection, model: str, budgets: Mapping[str, Budget | None]) -> str:
    now = time.time()
    since = now - HOURS * 3600
    by_key = {account.name: account for account in accounts(connection, "key", since)}
    keys = [key for key in list_keys(connection) if not key.admin]
    refusals = refused(connection)
    parts = {
        "style": Html(_asset("dashboard.css")),
        "refresh": str(REFRESH_SECONDS),
        "model": joined(model),
        "now": joined(_moment(now)),
        "owners": _owners(connection, budgets, keys, now),
        "keys": _keys(keys, by_key, refusals),
        "marks": _marks(marked_tokens(connection, since)),
        "steps": _chart(history(connection, "tier", since, 3600.0), now),
        "anonymous": joined(_reasons(refusals.get("", {}))),
    }
    return Template(_asset("dashboard.html")).substitute(parts)


def _owners(connection: Connection, budgets: Mapping[str, Budget | None], keys: list[Key], now: float) -> Html:
    today = spent_on(connection, day_of(now))
    flagged = flagged_owners(connection)
    rows = []
    for owner in sorted({key.owner for key in keys} | set(today)):
        spent = today.get(owner, NOTHING)
        tiers = sorted({str(key.tier) for key in keys if key.owner == owner})
        mine = [budgets[tier] for tier in tiers if tier in budgets]
        limits = [
            min((limit for b in mine if b is not None and (limit := getattr(b, name)) is not None), default=None)
            for name in ("value_per_day", "kl_per_day", "tokens_per_day")
        ]
        mark = element("span", "flagged", class_="flag") if owner in flagged else ""
        rows.append(
            element(
                "tr", element("th", owner, " ", mark, scope="row"), element("td", ", ".join(tiers)),
                *map(_spent, (spent.value, spent.kl, spent.tokens), limits),
            )
        )  # fmt: skip
    return table(
        _heads("owner", "tiers", "value (nats)", "KL (nats)", "tokens"), rows, id="owners", aria_label="Owners"
    )


def _keys(keys: list[Key], by_key: dict[str, Account], refusals: dict[str, dict[str, int]]) -> Html:
    rows = []
    for key in sorted(keys, key=lambda key: -(by_key[key.id].value or 0.0) if key.id in by_key else 0.0):
        account = by_key.get(key.id)
        rows.append(
            element(
                "tr",
                element("th", key.id, scope="row"),
                element("td", key.owner),
                _figure(account.value if account else 0.0),
                _figure(account.kl if account else 0.0),
                _figure(account.tokens if account else 0),
                _figure(account.requests if account else 0, _note(account) if account else ""),
                element("td", f"{key.tier}" + ("" if key.revoked is None else ", revoked")),
                element("td", _reasons(refusals.get(key.id, {}))),
            )
        )
    heads = _heads("key", "owner", "value (nats)", "KL (nats)", "tokens", "requests", "tier", "refused today")
    return table(heads, rows, id="keys", aria_label="Keys")


def _marks(marked: list[MarkedTokens]) -> Html:
    """Return the section on marks; nothing if nothing was marked."""
    if not marked:
        return joined()
    rows = [
        element(
            "tr", element("th", one.owner, scope="row"), element("td", one.mark.label), element("td", f"{one.epoch}"),
            _figure(one.tokens),
        )
        for one in marked
    ]  # fmt: skip
    heads = _heads("owner", "mark", "epoch of the key", "marked tokens")
    shown = table(heads, rows, id="marks", aria_label="Marks")
    return element("section", element("h2", "Marks, last 24 hours"), shown)


def _chart(intervals: list[Interval], now: float) -> Html:
    """Return a bar chart of the value released in each of the last hours, over all keys."""
    first = int(now // 3600) - HOURS + 1
    values = [0.0] * HOURS
    for interval in intervals:
        place = int(interval.start // 3600) - first
        if 0 <= place < HOURS:
            values[place] += interval.value
    most = max(values) or 1.0
    bars = []
    for i, value in enumerate(values):
        height = 100 * value / most
        title = element("title", f"{_moment((first + i) * 3600)}: {value:,.1f} nats")
        bars.append(
            element("rect", title, x=f"{i * 10 + 1}", y=f"{100 - height:.2f}", width="8", height=f"{height:.2f}")
        )
    drawn = element("svg", *bars, viewBox=f"0 0 {HOURS * 10} 100", preserveAspectRatio="none", role="img",
                    aria_label=f"Value released by the hour; most in an hour: {most:,.1f} nats")  # fmt: skip
    span = f"from {_moment(first * 3600)} (left) to {_moment(now)} (right)"
    caption = f"Value released by the hour, {span}. Highest bar: {max(values):,.1f} nats."
    return element("figure", drawn, element("figcaption", caption))


def _spent(amount: float | None, limit: float | None) -> Html:
    if limit is None:
        return _figure(amount)
    share = (amount or 0.0) / limit
    level = "over" if share >= 1 else "near" if share >= 0.8 else "fine"
    return element(
        "td", f"{_shown(amount)} of {_shown(limit)} ", element("span", f"{share:.0%}", class_=level), class_="n"
    )


def _figure(amount: float | None, note: str = "") -> Html:
    return element("td", _shown(amount), *([" ", element("small", note)] if note else []), class_="n")


def _shown(amount: float | None) -> str:
    return "not measured" if amount is None else f"{amount:,.1f}" if isinstance(amount, float) else f"{amount:,}"


def _note(account: Account) -> str:
    parts = {"open": account.open, "not measured": account.unmeasured}
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items())) or "–"


def _heads(*names: str) -> list[Html]:
    numbers = ("(nats)", "tokens", "requests")
    return [element("th", name, scope="col", class_="n" if name.endswith(numbers) else None) for name in names]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _asset(name: str) -> str:
    return resources.files("distillgame.gateway.owner").joinpath("assets", name).read_text(encoding="utf-8")
