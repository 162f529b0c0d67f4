"""The keys that are tested: from a file, or from a server's ledger."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, model_validator

from distillgame.choices import NamedChoice
from distillgame.documents import read_document
from distillgame.errors import DistillgameError
from distillgame.policies import MarkPolicy, make_policy
from distillgame.policies.seeds import owner_key
from distillgame.strict import Strict, parse

OF_THE_KEY = ("owner", "epoch", "secret", "on")
"""Options of a mark that its test is not told: they are the key's, and what was marked shows in no text."""


class MarkChoice(NamedChoice):
    """A mark without an owner: ``keyed: {width: 4}`` in YAML."""

    @model_validator(mode="after")
    def _check(self) -> "MarkChoice":
        for name in OF_THE_KEY:
            if name in self.options:
                raise ValueError(f"{self.name}: '{name}' is no part of the mark that is tested: leave it out")
        return self

    @property
    def policy(self) -> MarkPolicy:
        """The mark's policy.

        Raises:
            DistillgameError: If it is no mark, or an option is not acceptable.
        """
        policy = make_policy(self.name, self.options)
        if not isinstance(policy, MarkPolicy):
            raise DistillgameError(f"mark: policy '{self.name}' leaves no mark: choose watermark, keyed or fingerprint")
        return policy


class OwnerKey(Strict):
    """A key that marked what an owner was released.

    Attributes:
        owner: The owner.
        epoch: The epoch of the key.
        key: The key, 64 hexadecimal digits.
        mark: The mark that was left with it.
        tokens: Number of marked tokens that were released; None if it is not known.
    """

    owner: str
    epoch: int = 0
    key: str = Field(pattern="^[0-9a-f]{64}$")
    mark: MarkChoice
    tokens: int | None = None

    @property
    def secret(self) -> bytes:
        """The key as bytes."""
        return bytes.fromhex(self.key)


class KeyFile(Strict):
    """Keys in a file, or what they follow from.

    Attributes:
        keys: Keys of single owners.
        secret: The secret from which the keys of ``owners`` follow, as text.
        owners: Owners whose keys follow from the secret.
        epochs: Their epochs.
        mark: Their mark.
    """

    keys: list[OwnerKey] = Field(default_factory=list)
    secret: str | None = None
    owners: list[str] = Field(default_factory=list)
    epochs: list[int] = Field(default_factory=lambda: [0], min_length=1)
    mark: MarkChoice | None = None

    @model_validator(mode="after")
    def _check(self) -> "KeyFile":
        if bool(self.owners) != (self.secret is not None) or bool(self.owners) != (self.mark is not None):
            raise ValueError("owners: their keys follow from 'secret' and 'mark': give all three or none")
        if not self.keys and not self.owners:
            raise ValueError("it names no key: give 'keys', or 'owners' with 'secret' and 'mark'")
        return self

    def all_keys(self) -> list[OwnerKey]:
        """Return all keys, derived ones included."""
        derived = []
        if self.secret is not None and self.mark is not None:
            secret = self.secret.encode()
            for owner in self.owners:
                for epoch in self.epochs:
                    key = owner_key(secret, owner, epoch).hex()
                    derived.append(OwnerKey(owner=owner, epoch=epoch, key=key, mark=self.mark))
        return [*self.keys, *derived]


def read_keys(path: Path) -> list[OwnerKey]:
    """Return the keys of a file in YAML or JSON.

    Raises:
        DistillgameError: If it is missing or malformed, names no key, or names one twice.
    """
    keys = parse(KeyFile, read_document(path), str(path)).all_keys()
    require_different(keys, str(path))
    return keys


def require_different(keys: Sequence[OwnerKey], where: str) -> None:
    """Check that no key is tested twice, and that every mark can be tested.

    Raises:
        DistillgameError: If one is, or cannot.
    """
    seen: set[tuple[str, int, str]] = set()
    for key in keys:
        name = (key.owner, key.epoch, json.dumps(key.mark.model_dump(), sort_keys=True))
        if name in seen:
            raise DistillgameError(f"{where}: the key of '{name[0]}' for epoch {name[1]} is there twice: leave one out")
        seen.add(name)
        try:
            _ = key.mark.policy
        except DistillgameError as error:
            raise DistillgameError(f"{where}: owner '{key.owner}': {error}") from error
