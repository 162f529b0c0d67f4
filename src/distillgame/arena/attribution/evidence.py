"""Evidence that a third party can check: everything but the keys of those who are not accused."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from distillgame.attribution import Attributor, OwnerKey, from_data
from distillgame.errors import DistillgameError
from distillgame.records.attribution import Attribution, KeyRow
from distillgame.stats import holm
from distillgame.strict import Strict, parse

EVIDENCE = "evidence.json"
"""The file that holds it."""

TOLERANCE = 1e-6
"""Relative difference up to which a recomputed number is the same; the null's keys are the same ones."""


class Source(Strict):
    """Texts that were read.

    Attributes:
        owner: The owner who was released them; None if they are nobody's in particular.
        texts: What they are.
        count: Number of texts.
        sha256: Hash of the file, where they are from one.
    """

    owner: str | None
    texts: str
    count: int
    sha256: str | None


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
        found: The tests of all keys.
        accused: The keys of owners who are named. Others' keys are not shown.
        positions: The suspect's preferences, on which the tests rest.
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
        accused: Sequence[OwnerKey],
        positions: Mapping[tuple[str | None, int], dict[str, Any]],
        **known: Any,
    ) -> "Evidence":
        """Return the evidence of an attribution.

        Args:
            found: The tests of all keys.
            accused: The keys of owners who are named.
            positions: The data of the positions, by owner and width.
            known: The other fields.
        """
        read = [ReadPositions(owner=o, width=w, data=each) for (o, w), each in positions.items()]
        return cls(verdict=found.verdict, found=found, accused=list(accused), positions=read, **known)


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
    positions = {(each.owner, each.width): from_data(each.data, str(path)) for each in evidence.positions}
    stated = {(row.owner, row.epoch, row.mark): row for row in evidence.found.keys}
    if evidence.accused:
        again = Attributor(positions, evidence.found.unused_keys).attribute(evidence.accused, evidence.found.alpha)
        for row in again.keys:
            _require_same(row, stated.get((row.owner, row.epoch, row.mark)), path)
    corrected = holm([row.p_value for row in evidence.found.keys])
    for row, p_value in zip(evidence.found.keys, corrected, strict=True):
        if not _same(row.corrected, p_value) or row.significant != (p_value < evidence.found.alpha):
            raise DistillgameError(f"{path}: the correction of the p-value of '{row.owner}' is not Holm's")
    if {key.owner for key in evidence.accused} != set(evidence.found.owners):
        raise DistillgameError(f"{path}: the keys that are shown are not those of the owners who are named")
    if evidence.verdict != evidence.found.verdict:
        raise DistillgameError(f"{path}: the verdict does not follow from the tests")
    return evidence


def _require_same(row: KeyRow, stated: KeyRow | None, path: Path) -> None:
    for name in ("z", "p_value", "unused", "bound", "contexts", "texts"):
        ours, theirs = getattr(row, name), None if stated is None else getattr(stated, name)
        if theirs is None or not _same(ours, theirs):
            raise DistillgameError(
                f"{path}: '{name}' of '{row.owner}' comes out as {ours:.6g}, and it says "
                f"{'nothing' if theirs is None else format(theirs, '.6g')}"
            )


def _same(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= TOLERANCE * max(abs(ours), abs(theirs), 1e-300)
