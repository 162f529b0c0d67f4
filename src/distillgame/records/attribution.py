"""The results of attribution: a row per key, and the verdict in words."""

from collections.abc import Sequence

from pydantic import Field

from distillgame.strict import Strict


class KeyRow(Strict):
    """The test of one key.

    Attributes:
        owner: Whose key it is.
        epoch: Its epoch.
        mark: The mark that was left with it.
        own_texts: Whether the texts are those that the owner was released (supervised).
        texts: Number of texts that were read.
        contexts: Number of distinct contexts with a choice.
        bits_per_text: Entropy of the reference over a text's choices, in bits: the most that a mark can say there.
        z: The statistic over its standard deviation under keys that the suspect does not know.
        p_value: The p-value (:mod:`distillgame.attribution.significance`).
        corrected: The p-value corrected for the number of keys (Holm).
        significant: Whether that is below the level.
        texts_needed: Number of texts at which an effect of this size would be; None if it is, or if there is no effect
            to go by.
        tokens: Number of marked tokens that the owner was released; None if it is not known.
    """

    owner: str
    epoch: int
    mark: str
    own_texts: bool
    texts: int
    contexts: int
    bits_per_text: float
    z: float
    p_value: float
    corrected: float = 1.0
    significant: bool = False
    texts_needed: int | None = None
    tokens: int | None = None


class Attribution(Strict):
    """The tests of all keys.

    Attributes:
        alpha: Level of the corrected p-values.
        bits_needed: Bits that single out one of the keys at that level.
        unused_keys: Number of draws of what keys that were never used would choose.
        keys: The rows.
    """

    alpha: float = Field(gt=0, lt=1)
    bits_needed: float
    unused_keys: int
    keys: list[KeyRow] = Field(min_length=1)

    @property
    def owners(self) -> list[str]:
        """Owners with a significant key, the surest first."""
        found = sorted((row for row in self.keys if row.significant), key=lambda row: row.corrected)
        return list(dict.fromkeys(row.owner for row in found))

    @property
    def surest(self) -> KeyRow:
        """The key with the smallest p-value."""
        return min(self.keys, key=lambda row: row.p_value)

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        owners = self.owners
        if not owners:
            return self._nobody()
        if len(owners) > 1:
            return (
                f"Inconclusive: the keys of {_listed(owners)} are all significant. Texts of several owners were mixed, "
                "or one of them is to be framed; no single owner is named."
            )
        best = min((row for row in self.keys if row.owner == owners[0]), key=lambda row: row.corrected)
        return (
            f"The suspect was trained on text that was marked for '{owners[0]}' (p = {_small(best.corrected)} after "
            f"correction for {len(self.keys)} keys). This says whose text it was, not who trained on it."
        )

    def _nobody(self) -> str:
        best = self.surest
        if not any(row.contexts for row in self.keys):
            return "Nobody is named: these texts had no choice, so no mark could be in them."
        said = (
            f"Nobody is named: no key is significant at {self.alpha:g} after correction for {len(self.keys)} keys "
            f"(smallest p = {best.p_value:.2g}, of '{best.owner}'). "
        )
        if best.texts_needed is None:
            return said + "There is no effect from which a sample size could be said."
        return said + (
            f"If its effect is real and goes on like this, about {best.texts_needed:,} texts instead of {best.texts:,} "
            "would show it."
        )


def _small(p_value: float) -> str:
    return f"{p_value:.1e}" if p_value > 1e-300 else "below 1e-300"


def _listed(names: Sequence[str]) -> str:
    shown = [f"'{name}'" for name in names[:5]]
    if len(names) > 5:
        shown.append(f"{len(names) - 5} more")
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
