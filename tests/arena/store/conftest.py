from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.objects import Objects, objects


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    with objects(tmp_path_factory.mktemp("objects") / "log") as found:
        yield found


@pytest.fixture
def store(running: Objects, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A store that nothing breaks, and its keys in the environment."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.fault = lambda method, path: None
    running.requests.clear()
    yield running
    running.fault = lambda method, path: None


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A folder of its own in the bucket."""
    return f"s3://games/{tmp_path.name}"
