import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.config import Compute
from distillgame.arena.engines.cluster import connected
from distillgame.arena.engines.remote import Board, _log, compute_remotely
from distillgame.arena.plan import Planner
from distillgame.arena.store import LOCK, environment
from distillgame.errors import DistillgameError
from distillgame.policies import PolicyChoice


@pytest.fixture(autouse=True)
def _own_folder() -> Iterator[None]:
    here = Path.cwd()
    yield
    os.chdir(here)


def order(tiny: dict[str, Any], root: Path, **changes: Any) -> dict[str, Any]:
    stage = Planner(load_config(tiny)).sample(PolicyChoice(name="standard"), "test", 0)
    named = {"root": str(root), "store": None, "cache": None, "device": "cpu", "folder": str(root), "log": "a"}
    return {"stage": stage.spec(), "environment": environment(), **named, **changes}


def test_a_node_that_does_not_see_the_folder_says_so(tiny: dict[str, Any], tmp_path: Path) -> None:
    outcome = compute_remotely(order(tiny, tmp_path), None)
    assert "does not see the run's folder" in outcome["error"]
    assert "compute.store" in outcome["error"]
    assert not (tmp_path / "stages").exists()


def test_a_node_with_other_libraries_computes_nothing(tiny: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    outcome = compute_remotely(order(tiny, tmp_path, environment=environment() | {"python": "3.1.0"}), None)
    assert "may not share the run" in outcome["error"]
    assert not (tmp_path / "stages").exists()


def test_whatever_is_printed_goes_to_the_stages_log(tmp_path: Path) -> None:
    with _log(tmp_path / "logs" / "a.log"):
        os.write(1, b"one\n")
        os.write(2, b"two\n")
    assert (tmp_path / "logs" / "a.log").read_text() == "one\ntwo\n"


def test_the_board_forgets_what_it_has_said() -> None:
    board = Board()
    board.put("a", 1, 3)
    board.put("a", 2, 3)
    board.put("b", 1, 1)
    assert board.take() == {"a": (2, 3), "b": (1, 1)}
    assert board.take() == {}


def test_without_a_cluster_or_ray_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def fail(**_: Any) -> None:
        raise ConnectionError("nobody\nthere")

    monkeypatch.setattr(ray, "init", fail)
    compute = Compute(engine="ray", address="head:6379")
    with pytest.raises(DistillgameError, match=r"no Ray cluster at 'head:6379' \(nobody there\)"), connected(compute):
        pass
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DistillgameError, match=r"pip install 'distillgame\[ray\]'"), connected(compute):
        pass
