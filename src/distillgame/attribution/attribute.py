"""Attribution: which of many keys marked the text that a suspect was trained on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scipy.stats import norm

from distillgame.attribution.owners import OwnerKey
from distillgame.attribution.positions import Positions
from distillgame.attribution.significance import UNUSED_KEYS, Nulls
from distillgame.attribution.statistics import make_statistic
from distillgame.errors import DistillgameError
from distillgame.records.attribution import Attribution, KeyRow
from distillgame.stats import holm

ALPHA = 1e-3
"""Probability of accusing anybody although the suspect was trained on nobody's text."""


@dataclass(frozen=True)
class Attributor:
    """Tests keys on the positions of texts.

    Args:
        positions: Positions by the owner whose own texts they are from, None for texts of nobody in particular, and by
            the width of contexts.
        unused_keys: Number of draws of the null.
    """

    positions: Mapping[tuple[str | None, int], Positions]
    unused_keys: int = UNUSED_KEYS
    _nulls: dict[tuple[str | None, str], Nulls] = field(default_factory=dict)

    def attribute(self, keys: Sequence[OwnerKey], alpha: float = ALPHA) -> Attribution:
        """Return the p-value of each key, corrected for their number, and the verdict.

        Args:
            keys: The keys.
            alpha: Level of the corrected p-values.
        """
        rows = [self._row(key) for key in keys]
        corrected = holm([row.p_value for row in rows])
        needed = float(norm.isf(alpha / len(keys)))
        rows = [
            row.model_copy(
                update={
                    "corrected": p_value,
                    "significant": p_value < alpha,
                    "texts_needed": None if p_value < alpha else _texts_needed(row, needed),
                }
            )
            for row, p_value in zip(rows, corrected, strict=True)
        ]
        return Attribution(
            alpha=alpha, bits_needed=bits_needed(len(keys), alpha), unused_keys=self.unused_keys, keys=rows
        )

    def _row(self, key: OwnerKey) -> KeyRow:
        policy = key.mark.policy
        if policy.width == 0:
            raise DistillgameError(
                f"owner '{key.owner}': a mark of width 0 has one context, which is no test: use width 1"
            )
        own = (key.owner, policy.width) in self.positions
        source = key.owner if own else None
        if (source, policy.width) not in self.positions:
            raise DistillgameError(f"owner '{key.owner}': no text was read for contexts of {policy.width} tokens")
        positions = self.positions[source, policy.width]
        name = (source, key.mark.model_dump_json())
        if name not in self._nulls:
            self._nulls[name] = Nulls(make_statistic(policy, positions.found), self.unused_keys)
        nulls = self._nulls[name]
        found = nulls.significance(nulls.statistic.of_key(key.secret))
        return KeyRow(
            owner=key.owner,
            epoch=key.epoch,
            mark=key.mark.label,
            own_texts=own,
            texts=positions.texts,
            contexts=len(nulls.statistic.contexts),
            bits_per_text=positions.bits / max(1, positions.texts),
            z=found.z,
            p_value=found.p_value,
            tokens=key.tokens,
        )


def bits_needed(keys: int, alpha: float) -> float:
    """Return the bits that single out one of so many keys at a level."""
    return math.log2(keys / alpha)


def _texts_needed(row: KeyRow, needed: float) -> int | None:
    """Return at about how many texts the same effect would be significant; None where there is none to go by.

    Each text is taken to say as much as those that were read, so it is a guess where contexts repeat.
    """
    return max(row.texts + 1, math.ceil(row.texts * (needed / row.z) ** 2)) if row.z > 1 else None
