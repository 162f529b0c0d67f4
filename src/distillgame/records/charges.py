"""The charges of traces: their value and their KL, where they were measured."""

import math
from dataclasses import dataclass
from pathlib import Path

from distillgame.records.columns import table_rows
from distillgame.records.conversations import conversation


@dataclass(frozen=True)
class Charge:
    """A released text and what the ledger would be charged for it.

    Attributes:
        completion: The released text.
        v_gap: Its value in nats.
        kl: KL(pi_rel‖pi_ref) summed over its tokens, in nats.
    """

    completion: str
    v_gap: float | None
    kl: float | None


def read_charges(path: Path) -> list[Charge]:
    """Return the charges of a trace file, None where nothing was measured.

    Raises:
        DistillgameError: If the file is missing or corrupt, or a row holds no conversation.
    """
    found = []
    for row in table_rows(path, ["messages"], ["v_gap", "kl"]):
        completion = conversation(row.values["messages"], row.place)[-1]["content"]
        found.append(Charge(completion, _number(row.values.get("v_gap")), _number(row.values.get("kl"))))
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
