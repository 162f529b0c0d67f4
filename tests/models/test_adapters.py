import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from distillgame.errors import DistillgameError
from distillgame.models import fingerprint, load_model, load_tokenizer
from distillgame.models.spec import ModelSpec

IDS = torch.tensor([[5, 9, 3, 7, 11, 2]])
BASE = "embedded:student"


def adapted(folder: Path, base: Any = None, tokenizer: Any = None, **settings: Any) -> torch.Tensor:
    """Save random adapters as PEFT does, and return their logits before merging."""
    torch.manual_seed(1)
    network = load_model(BASE).model if base is None else base
    model = get_peft_model(network, LoraConfig(r=4, task_type="CAUSAL_LM", **settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.1)
        logits: torch.Tensor = model(IDS).logits[0]
    model.peft_config["default"].base_model_name_or_path = BASE
    model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return logits


def logits_of(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = load_model(str(folder)).model(IDS).logits[0]
    return logits


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": "all-linear"},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": ["lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["q_proj"], "trainable_token_indices": [5, 7]},
    ],
    ids=str,
)
def test_a_folder_as_peft_writes_it_loads_as_the_model_that_was_trained(tmp_path: Path, settings: Any) -> None:
    expected = adapted(tmp_path, **settings)
    assert torch.allclose(logits_of(tmp_path), expected, atol=1e-3)
    assert load_tokenizer(str(tmp_path)).get_vocab() == load_tokenizer(BASE).get_vocab()


@pytest.mark.parametrize("kind", ["modules_to_save", "trainable_token_indices"])
def test_added_tokens_load(tmp_path: Path, kind: str) -> None:
    model = load_model(BASE)
    size = len(model.tokenizer)
    model.tokenizer.add_tokens(["<one>", "<two>"])
    model.model.resize_token_embeddings(size + 2)
    value = ["embed_tokens", "lm_head"] if kind == "modules_to_save" else [size, size + 1]
    expected = adapted(tmp_path, model.model, model.tokenizer, target_modules=["q_proj"], **{kind: value})
    assert torch.allclose(logits_of(tmp_path), expected, atol=1e-3)


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    file = folder / "adapter_model.safetensors"
    save_file(change(load_file(file)), file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {k.replace("base_model.model", "other"): v for k, v in w.items()}, "adapters lack 'base_model"),
        (lambda w: dict(sorted(w.items())[::2]), "adapters lack 'base_model"),
        (lambda w: w | {"base_model.model.extra.lora_A.weight": torch.ones(2)}, "adapters hold 'base_model.model.ex"),
        (lambda w: {k: v[..., :-1].contiguous() for k, v in w.items()}, "do not fit their base model"),
        (lambda _: {}, "adapters lack 'base_model"),
    ],
    ids=["renamed", "half", "more", "shape", "empty"],
)
def test_every_weight_is_used_or_the_adapters_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    adapted(tmp_path, target_modules="all-linear")
    rewrite(tmp_path, change)
    with pytest.raises(DistillgameError, match=message) as caught:
        load_model(str(tmp_path))
    assert "\n" not in str(caught.value)


def set_base(folder: Path, base: str | None) -> None:
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": base}))


@pytest.mark.parametrize("name", ["../base", "base"])
def test_a_base_may_be_named_relative_to_the_adapters(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "adapters"
    expected = adapted(folder, target_modules="all-linear")
    model = load_model(BASE)
    for part in (model.model, model.tokenizer):
        part.save_pretrained(folder / name)
    set_base(folder, name)
    assert torch.allclose(logits_of(folder), expected, atol=1e-3)
    before = fingerprint(ModelSpec(source=str(folder)))
    (folder / name / "config.json").write_text("{}")
    assert fingerprint(ModelSpec(source=str(folder))) != before


def test_no_base_and_trained_prompts_are_one_line(tmp_path: Path) -> None:
    adapted(tmp_path / "lora", target_modules="all-linear")
    set_base(tmp_path / "lora", None)
    prompts = get_peft_model(load_model(BASE).model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    prompts.save_pretrained(tmp_path / "prompts")
    for name, message in (("lora", "names no base model"), ("prompts", "'PROMPT_TUNING' adds prompts")):
        for use in (load_model, load_tokenizer, lambda source: fingerprint(ModelSpec(source=source))):
            with pytest.raises(DistillgameError, match=message):
                use(str(tmp_path / name))
