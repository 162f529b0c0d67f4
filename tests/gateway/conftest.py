"""One server that most tests share, and a PostgreSQL from Debian's package."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import Running, server


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with server(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database of a server that was started for the tests."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("needs PostgreSQL (Debian's package postgresql)")
    tools = found[-1].parent
    # PostgreSQL refuses to run as root; its package makes a user for it.
    user = "postgres" if os.getuid() == 0 else None
    # Sockets have short paths, and that user has to get there.
    folder = Path("/tmp") / f"distillgame-postgres-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(folder, user, user)

    def run(*command: str) -> None:
        subprocess.run(
            command, user=user, check=True, cwd=folder, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
        )

    run(str(tools / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "distillgame", "--no-sync")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    run(str(tools / "pg_ctl"), "-D", str(folder / "data"), "-l", str(folder / "log"), "-o", options, "-w", "start")
    try:
        run(str(tools / "createdb"), "-h", str(folder), "-U", "distillgame", "ledger")
        yield f"postgresql://distillgame@/ledger?host={folder}"
    finally:
        run(str(tools / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database URL of either kind; the tables may hold what other tests left."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres"))
    return f"sqlite:///{tmp_path / 'ledger.db'}"
