import copy

import pytest

from distillgame.arena.store import environment, require_same
from distillgame.errors import DistillgameError


def test_the_same_environment_is_accepted_whatever_the_gpu() -> None:
    require_same(environment())
    require_same(environment() | {"node": "b", "gpus": ["another"], "driver": "1"})


def test_another_version_is_refused_naming_both_nodes() -> None:
    other = copy.deepcopy(environment()) | {"node": "head"}
    other["libraries"]["torch"] = "1.0"
    del other["libraries"]["peft"]
    with pytest.raises(DistillgameError) as raised:
        require_same(other)
    said = str(raised.value)
    assert f"node {environment()['node']} " in said
    assert "the run of node head: " in said
    assert f"torch {environment()['libraries']['torch']} here, 1.0 there" in said
    assert f"peft {environment()['libraries']['peft']} here, missing there" in said
    with pytest.raises(DistillgameError, match=r"Python .* here, 3\.1\.0 there"):
        require_same(environment() | {"python": "3.1.0"})
