"""Numbers of a network's memory, and where they come from."""

import shutil
from pathlib import Path

import pytest

from distillgame.models import CacheShape, Footprint, ModelSpec, cache_shape, locate, total

SHAPE = CacheShape(layers=28, heads=4, size=128)


def test_a_token_has_a_key_and_a_value_in_every_head_of_every_layer() -> None:
    assert SHAPE.token_bytes(2) == 57_344
    assert [SHAPE.token_bytes(2, gpus) for gpus in (2, 4, 8)] == [28_672, 14_336, 14_336]


def test_copies_take_their_memory_again_and_what_is_unknown_stays_so() -> None:
    twice = Footprint("proxy", 10.0, SHAPE, 4, 2, 2)
    assert (twice.weights, twice.token_bytes()) == (80, 2 * 57_344)
    unknown = Footprint("proxy", None, None, 4, 4)
    assert (unknown.weights, unknown.token_bytes()) == (None, None)
    assert total([1, 2]) == 3
    assert total([1, None]) is None


def test_files_tell_the_shape_before_the_configuration_does() -> None:
    stated = {"cache": SHAPE}
    assert cache_shape(ModelSpec(source="embedded:proxy", **stated)) == CacheShape(layers=2, heads=4, size=28)
    assert cache_shape(ModelSpec(source="init:64x3", tokenizer="embedded:teacher")) == CacheShape(
        layers=3, heads=4, size=16
    )
    assert cache_shape(ModelSpec(source="somebody/model", **stated)) == SHAPE
    assert cache_shape(ModelSpec(source="somebody/model")) is None


def test_the_hubs_cache_is_read_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = tmp_path / "models--somebody--model" / "snapshots" / ("a" * 40)
    commit.mkdir(parents=True)
    shutil.copy(Path(locate("embedded:teacher").name) / "config.json", commit)
    (tmp_path / "models--somebody--model" / "refs").mkdir()
    (tmp_path / "models--somebody--model" / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was opened"))
    assert cache_shape(ModelSpec(source="somebody/model", cache=SHAPE)) == cache_shape(
        ModelSpec(source="embedded:teacher")
    )
