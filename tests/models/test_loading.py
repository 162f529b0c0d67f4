import json
import shutil
from pathlib import Path

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec, load_model
from distillgame.models.spec import EMBEDDED

NAMES = [path.name for path in sorted(EMBEDDED.iterdir())]


@pytest.mark.parametrize("name", NAMES)
def test_embedded_models_are_plain_hugging_face_checkpoints(name: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(EMBEDDED / name)
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / name)
    assert model.config.model_type in ("llama", "qwen2", "olmo2")
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert list((EMBEDDED / name).glob("*.safetensors"))


def test_embedded_models_take_a_few_megabytes_per_world() -> None:
    sizes = {path.name: sum(file.stat().st_size for file in path.iterdir()) for path in EMBEDDED.iterdir()}
    facts = sum(size for name, size in sizes.items() if name.startswith("bestiary-"))
    assert facts < 6e6
    assert sum(sizes.values()) - facts < 6e6


def test_the_student_differs_from_the_proxy_in_size_and_shape() -> None:
    student, proxy, other = (load_model(f"embedded:{name}").model for name in ("student", "proxy", "student-bpe"))
    assert student.config.hidden_size != proxy.config.hidden_size
    assert student.config.num_hidden_layers != proxy.config.num_hidden_layers
    assert student.num_parameters() != proxy.num_parameters()
    assert other.config.model_type != proxy.config.model_type
    assert other.config.vocab_size != proxy.config.vocab_size


@pytest.mark.parametrize("name", ["teacher", "proxy", "student", "student-bpe"])
def test_text_survives_the_embedded_tokenizers(name: str) -> None:
    model = load_model(f"embedded:{name}")
    text = "so 4 praying-mantis : 4 x 6 = 24 total 24 . next 9 woodlouse total 150 . #### 150"
    ids = model.tokenizer.encode(text, add_special_tokens=False)
    assert model.tokenizer.unk_token_id not in ids
    assert model.decode(ids) == text


def test_on_a_cpu_auto_is_float32() -> None:
    assert load_model("embedded:student").model.dtype == torch.float32
    assert load_model(ModelSpec(source="embedded:student", dtype="bfloat16")).model.dtype == torch.bfloat16


def test_random_models_are_seeded() -> None:
    def first(seed: int) -> torch.Tensor:
        spec = ModelSpec(source="init:16x1", tokenizer="embedded:student", seed=seed)
        weights: torch.Tensor = next(load_model(spec).model.parameters())
        return weights

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_loading_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model(ModelSpec(source="init:16x1", tokenizer="embedded:student"))
    assert torch.equal(torch.rand(3), expected)


def copy_of_student(folder: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED / "student", folder / "student"))


@pytest.mark.parametrize("damage", ["truncate", "delete", "config", "tokenizer", "shape"])
def test_a_corrupt_checkpoint_is_one_line(tmp_path: Path, damage: str) -> None:
    folder = copy_of_student(tmp_path)
    weights = folder / "model.safetensors"
    if damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "delete":
        weights.unlink()
    elif damage == "config":
        (folder / "config.json").write_text("{")
    elif damage == "tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    else:
        text = (folder / "config.json").read_text()
        (folder / "config.json").write_text(text.replace('"intermediate_size": 256', '"intermediate_size": 128'))
    with pytest.raises(DistillgameError, match="student': cannot be loaded") as caught:
        load_model(str(folder))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_larger_than_the_model_is_refused() -> None:
    with pytest.raises(DistillgameError, match="the tokenizer has 400 tokens but the model embeds only 117"):
        load_model(ModelSpec(source="embedded:student", tokenizer="embedded:student-bpe"))


def test_stop_ids_come_from_tokenizer_and_generation_config() -> None:
    model = load_model("embedded:student")
    model.model.generation_config.eos_token_id = [7, 8]
    assert model.stop_ids == {7, 8, model.tokenizer.eos_token_id}


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED / "student", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    deeper = config | {"num_hidden_layers": config["num_hidden_layers"] + 1}
    (tmp_path / "model" / "config.json").write_text(json.dumps(deeper))
    with pytest.raises(DistillgameError, match=r"the checkpoint lacks 'model.layers.3.*it is incomplete"):
        load_model(str(tmp_path / "model"))


def test_a_config_of_wrong_types_and_a_broken_gguf_are_one_line(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED / "student", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"num_hidden_layers": "three"}))
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03")
    for name in ("model", "model.gguf"):
        with pytest.raises(DistillgameError, match="cannot be loaded"):
            load_model(str(tmp_path / name))
