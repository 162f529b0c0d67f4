import json
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from distillgame.errors import DistillgameError
from distillgame.models import CacheShape, ModelSpec, fingerprint, locate, pinned, spec


def test_a_plain_string_is_a_source() -> None:
    assert ModelSpec.model_validate("embedded:teacher") == ModelSpec(source="embedded:teacher")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "embedded:wizard",
            "no such embedded model; choose one of bestiary-proxy, bestiary-proxy-half, bestiary-student, "
            "bestiary-student-bpe, bestiary-teacher, proxy, "
            "proxy-olmo2, student, student-bpe, teacher",
        ),
        ("package:no_such_module/x.gguf", "the Python package 'no_such_module' is not installed"),
        ("missing/model.gguf", "no such file model.gguf"),
        ("./missing", "no such folder"),
        ("/missing/folder", "no such folder"),
    ],
)
def test_missing_sources_are_named(source: str, message: str) -> None:
    with pytest.raises(DistillgameError, match=message) as caught:
        locate(source)
    assert source in str(caught.value)


def test_a_folder_without_a_config_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match=r"has no config\.json"):
        locate(str(tmp_path))


def test_a_hub_name_may_carry_a_revision() -> None:
    location = locate("org/model@abc123")
    assert (location.name, location.revision, location.local) == ("org/model", "abc123", False)


def test_a_file_inside_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "weights_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    location = locate("package:weights_package/model.gguf")
    assert location.keywords() == {"gguf_file": "model.gguf"}
    assert "weights_package" not in sys.modules


@pytest.mark.parametrize("data", [{"source": "init:16by2", "tokenizer": "embedded:teacher"}, {"source": "init:16x2"}])
def test_random_models_need_a_shape_and_a_tokenizer(data: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="init:"):
        ModelSpec.model_validate(data)


def test_fingerprints_follow_content_not_place(tmp_path: Path) -> None:
    folders = []
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(text)
        folders.append(folder)
    files = [fingerprint(ModelSpec(source=str(folder))) for folder in folders]
    assert len(set(files)) == 3  # the name is part of it, as it is part of every record
    same = ModelSpec(source=str(folders[0]))
    before = fingerprint(same)
    (folders[0] / "config.json").write_text("changed")
    assert fingerprint(same) != before


def test_the_stated_size_is_not_part_of_the_fingerprint() -> None:
    plain = ModelSpec(source="embedded:teacher")
    assert fingerprint(plain) == fingerprint(plain.model_copy(update={"parameters": 1e9}))
    shape = CacheShape(layers=1, heads=2, size=3)
    assert fingerprint(plain) == fingerprint(plain.model_copy(update={"cache": shape}))
    # Stages and records name models as they did before there was the field.
    assert "cache" not in plain.model_dump()


def test_a_hub_model_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DistillgameError, match="model 'org/model': not found on the hub, or the hub is out of reach"):
        fingerprint(ModelSpec(source="org/model"))


def test_without_a_network_the_cached_commit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    commits = iter(["a" * 40, "a" * 40, "b" * 40])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: f"/cache/snapshots/{next(commits)}")
    hashes = []
    for _ in range(3):
        spec._hub_commit.cache_clear()
        hashes.append(fingerprint(ModelSpec(source="org/model")))
    assert hashes[0] == hashes[1] != hashes[2]


def test_what_is_hashed_is_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "_hub_commit", lambda name, revision: f"{name}@{'c' * 40}")
    moving = ModelSpec(source="org/model", tokenizer="embedded:teacher", chat_template="plain")
    assert pinned(moving) == moving.model_copy(update={"source": f"org/model@{'c' * 40}"})
    assert pinned(moving).name == "model"
    assert locate(pinned(moving).source).revision == "c" * 40
    random = ModelSpec(source="init:32x1", tokenizer="org/model")
    assert pinned(random).source == random.source


def test_adapters_change_with_the_base_that_they_name(tmp_path: Path) -> None:
    base, adapters = tmp_path / "base", tmp_path / "adapters"
    for folder in (base, adapters):
        folder.mkdir()
    (base / "config.json").write_text("{}")
    (adapters / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    before = fingerprint(ModelSpec(source=str(adapters)))
    (base / "config.json").write_text("{ }")
    assert fingerprint(ModelSpec(source=str(adapters))) != before
    (adapters / "adapter_config.json").write_text("{")
    with pytest.raises(DistillgameError, match=r"adapter_config.json is corrupt"):
        fingerprint(ModelSpec(source=str(adapters)))
