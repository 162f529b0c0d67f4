"""Keys: stored as digests, listed, revoked."""

import sqlite3
import stat
from pathlib import Path

import pytest

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger import open_database
from distillgame.gateway.ledger.keys import FORM, create_key, find_key, list_keys, revoke_key


def test_a_key_is_found_by_itself_and_by_nothing_else(database: str) -> None:
    with open_database(database).begin() as connection:
        key = create_key(connection, "alice", "standard")
        assert FORM.fullmatch(key)
        found = find_key(connection, key)
        assert found is not None
        assert (found.owner, found.tier, found.admin) == ("alice", "standard", False)
        other = create_key(connection, "alice", None)
        assert find_key(connection, other).admin  # type: ignore[union-attr]
        mixed = key[:15] + other[15:]
        for wrong in (
            "",
            "dg-",
            key[:-1],
            key + "=",
            key.swapcase(),
            mixed,
            key.replace("dg", "sk"),
            "é" * 60,
            "\udcff",
        ):
            assert find_key(connection, wrong) is None


def test_a_revoked_key_is_not_found(database: str) -> None:
    with open_database(database).begin() as connection:
        key = create_key(connection, "bob", "standard")
        revoked = revoke_key(connection, key)
        assert find_key(connection, key) is None
        again = revoke_key(connection, revoked.id)
        assert again.id == revoked.id
        assert next(k for k in list_keys(connection) if k.id == revoked.id).revoked is not None
        with pytest.raises(DistillgameError, match="no such key"):
            revoke_key(connection, "000000000000")


@pytest.mark.parametrize("owner", ["", "a b", "x" * 129, "<script>", "a\nb"])
def test_owners_have_plain_names(tmp_path: Path, owner: str) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as connection, pytest.raises(DistillgameError, match="owner"):
        create_key(connection, owner, "standard")


def test_no_key_is_stored_and_the_file_is_the_owners(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    engine = open_database(f"sqlite:///{path}")
    with engine.begin() as connection:
        key = create_key(connection, "carol", "standard")
    engine.dispose()
    secret = key.split("-", 2)[2]
    assert not any(secret in str(row) for row in sqlite3.connect(path).execute("SELECT * FROM keys"))
    assert secret.encode() not in b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_stored_survives_two_writers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    first, second = open_database(url), open_database(url)
    for i in range(20):
        with (first if i % 2 else second).begin() as connection:
            create_key(connection, f"o{i}", "standard")
    with first.begin() as connection:
        assert len(list_keys(connection)) == 20
