"""API keys and the ledger of what was released to whom; free of PyTorch, so that its commands start at once."""

from distillgame.gateway.ledger.budget import REFUSE, Budget, OverBudgetError
from distillgame.gateway.ledger.charge import NOTHING, Charge
from distillgame.gateway.ledger.database import mark_secret, open_database, reading, require_database_url, stream_secret
from distillgame.gateway.ledger.days import day_of, parse_span
from distillgame.gateway.ledger.keys import Key, create_key, digest_of, find_key, list_keys, revoke_key
from distillgame.gateway.ledger.leases import Lease, Ledger, Offer, Party
from distillgame.gateway.ledger.location import DEFAULT_LEDGER, LedgerLocation, find_config, find_ledger
from distillgame.gateway.ledger.marks import (
    EntryMark,
    MarkedOwner,
    MarkedTokens,
    ledger_digest,
    mark_key,
    mark_text,
    marked_by,
    marked_owners,
    marked_tokens,
)
from distillgame.gateway.ledger.owner_flags import clear_flag, flagged_owners, set_flag
from distillgame.gateway.ledger.queries import (
    Account,
    GroupBy,
    Interval,
    accounts,
    first_request,
    history,
    refused,
    spent_on,
)
from distillgame.gateway.ledger.refusals import RefusalCounter
from distillgame.gateway.ledger.writer import Writer

__all__ = [
    "DEFAULT_LEDGER",
    "NOTHING",
    "REFUSE",
    "Account",
    "Budget",
    "Charge",
    "EntryMark",
    "GroupBy",
    "Interval",
    "Key",
    "Lease",
    "Ledger",
    "LedgerLocation",
    "MarkedOwner",
    "MarkedTokens",
    "Offer",
    "OverBudgetError",
    "Party",
    "RefusalCounter",
    "Writer",
    "accounts",
    "clear_flag",
    "create_key",
    "day_of",
    "digest_of",
    "find_config",
    "find_key",
    "find_ledger",
    "first_request",
    "flagged_owners",
    "history",
    "ledger_digest",
    "list_keys",
    "mark_key",
    "mark_secret",
    "mark_text",
    "marked_by",
    "marked_owners",
    "marked_tokens",
    "open_database",
    "parse_span",
    "reading",
    "refused",
    "require_database_url",
    "revoke_key",
    "set_flag",
    "spent_on",
    "stream_secret",
]
