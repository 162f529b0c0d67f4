"""Evidence that a third party can check: everything but the keys of those who are not accused."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import Field

from distillgame.attribution import UNUSED_KEYS, Attributor, OwnerKey, bits_needed, from_data, require_different
from distillgame.errors import DistillgameError
from distillgame.records.attribution import Attribution, KeyRow
from distillgame.stats import holm
from distillgame.strict import Strict, parse

EVIDENCE = "evidence.json"
"""The file that holds it."""

TOLERANCE = 1e-4
"""Difference of logarithms up to which a recomputed number is the same: elsewhere sums are added in another order."""


class Source(Strict):
    """Texts that were read.

    Attributes:
        owner: The owner who was released them; None if they are nobody's in particular.
        texts: The texts in words.
        count: Number of texts.
        sha256: Hash of the file with the texts that were read: prompts, and completions or answers.
    """

    owner: str | None
    texts: str
    count: int
    sha256: str


class ReadPositions(Strict):
    """Positions of texts (:mod:`distillgame.attribution.files`).

    Attributes:
        owner: The owner whose texts they are from, or None.
        width: Number of tokens of a context.
        data: The positions.
    """

    owner: str | None
    width: int
    data: dict[str, Any]


class Evidence(Strict):
    """The evidence of one attribution.

    Attributes:
        verdict: The verdict in words.
        suspect: Name and hash of the suspect.
        reference: Name and hash of the reference teacher, and the temperature of the release.
        sources: The texts that were read.
        found: The tests of all keys. Owners who are not in the verdict are numbered instead of named.
        accused: The keys that name an owner. No other key is shown, and none at all if nobody is named or the verdict
            is inconclusive: whoever has a key can forge its mark.
        positions: The suspect's preferences on the texts on which these keys were tested.
        versions: Versions of the libraries.
        ledger: Digest of the ledger's rows on marks; None if the keys are not from one.
    """

    verdict: str
    suspect: dict[str, Any]
    reference: dict[str, Any]
    sources: list[Source]
    found: Attribution
    accused: list[OwnerKey] = Field(default_factory=list)
    positions: list[ReadPositions]
    versions: dict[str, str]
    ledger: str | None = None

    @classmethod
    def of(
        cls,
        found: Attribution,
        keys: Sequence[OwnerKey],
        positions: Mapping[tuple[str | None, int], dict[str, Any]],
        **known: Any,
    ) -> "Evidence":
        """Return the evidence of an attribution.

        Args:
            found: The tests of all keys.
            keys: All keys, in the same order.
            positions: The data of the positions, by owner and width.
            known: The other fields.
        """
        found = _numbered(found)
        pairs = zip(keys, found.keys, strict=True) if len(found.owners) == 1 else ()
        named = [(key, row) for key, row in pairs if row.significant]
        tested = {(row.owner if row.own_texts else None, key.mark.policy.width) for key, row in named}
        read = [ReadPositions(owner=o, width=w, data=each) for (o, w), each in positions.items() if (o, w) in tested]
        accused = [key for key, _ in named]
        return cls(verdict=found.verdict, found=found, accused=accused, positions=read, **known)


def _numbered(found: Attribution) -> Attribution:
    """Return tests with numbers for the owners of whom the verdict says nothing: evidence is shown to strangers."""
    verdict, owners = found.verdict, dict.fromkeys(row.owner for row in found.keys)
    free = (name for number in count(1) if (name := f"other owner {number}") not in owners)
    names = {owner: next(free) for owner in owners if f"'{owner}'" not in verdict}
    rows = [row.model_copy(update={"owner": names.get(row.owner, row.owner)}) for row in found.keys]
    return found.model_copy(update={"keys": rows})


def check_evidence(path: Path) -> Evidence:
    """Compute the tests of all accused keys again, and return the evidence if they come out as it says.

    Raises:
        DistillgameError: If it is malformed, or a number is another one.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DistillgameError(f"{path}: not readable JSON: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise DistillgameError(f"{path}: evidence is a mapping of names to values")
    evidence = parse(Evidence, data, str(path))
    try:
        require_different(evidence.accused, "accused")
        _check(evidence, path)
    except DistillgameError as error:
        said = str(error)
        raise DistillgameError(said if said.startswith(str(path)) else f"{path}: {said}") from error
    return evidence


def _check(evidence: Evidence, path: Path) -> None:
    found = evidence.found
    positions = {(each.owner, each.width): from_data(each.data, str(path)) for each in evidence.positions}
    stated = {(row.owner, row.epoch, row.mark): row for row in found.keys}
    if len(stated) < len(found.keys):
        raise DistillgameError(f"{path}: a key is among the tests twice")
    if found.unused_keys != UNUSED_KEYS:
        raise DistillgameError(
            f"{path}: its null has {found.unused_keys} draws, and that of this version {UNUSED_KEYS}"
        )
    if not _same(found.bits_needed, bits_needed(len(found.keys), found.alpha)):
        raise DistillgameError(f"{path}: 'bits_needed' does not follow from the number of keys and the level")
    single = len(found.owners) == 1
    named = [(row.owner, row.epoch, row.mark) for row in found.keys if row.significant and single]
    if [(key.owner, key.epoch, key.mark.label) for key in evidence.accused] != named:
        raise DistillgameError(f"{path}: the keys that are shown are not those that name an owner")
    if evidence.accused:
        again = Attributor(positions).attribute(evidence.accused, found.alpha)
        for row in again.keys:
            _require_same(row, stated[row.owner, row.epoch, row.mark], path)
    corrected = holm([row.p_value for row in found.keys])
    for row, p_value in zip(found.keys, corrected, strict=True):
        if not _same(row.corrected, p_value) or row.significant != (p_value < found.alpha):
            raise DistillgameError(f"{path}: the correction of the p-value of '{row.owner}' is not Holm's")
    if evidence.verdict != found.verdict:
        raise DistillgameError(f"{path}: the verdict does not follow from the tests")


def _require_same(row: KeyRow, stated: KeyRow, path: Path) -> None:
    if row.own_texts != stated.own_texts:
        raise DistillgameError(f"{path}: the texts of '{row.owner}' are said to be others than those that were read")
    for name in ("z", "p_value", "contexts", "texts", "bits_per_text"):
        ours, theirs = getattr(row, name), getattr(stated, name)
        if not _same(ours, theirs):
            raise DistillgameError(
                f"{path}: '{name}' of '{row.owner}' comes out as {ours:.6g}, and it says {theirs:.6g}"
            )


def _same(ours: float, theirs: float) -> bool:
    return ours == theirs or (ours * theirs > 0 and abs(math.log(ours / theirs)) <= TOLERANCE)
