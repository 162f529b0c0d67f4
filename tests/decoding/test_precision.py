from pathlib import Path

import torch

from distillgame.decoding import Precision, choose_precision, settle_precisions
from distillgame.models import LanguageModel, ModelSpec, has_choice, load_model


def stored(folder: Path, name: str, dtype: torch.dtype) -> ModelSpec:
    model = load_model(f"embedded:{name}")
    target = folder / f"{name}-{str(dtype).removeprefix('torch.')}"
    model.model.to(dtype).save_pretrained(target)
    model.tokenizer.save_pretrained(target)
    return ModelSpec(source=str(target))


def test_the_faster_precision_is_chosen() -> None:
    assert choose_precision({"float32": [35.0], "bfloat16": [10.0]}, 1).chosen == "bfloat16"
    assert choose_precision({"float32": [68.0], "bfloat16": [224.0]}, 32).chosen == "float32"
    assert choose_precision({"float32": [10.0], "bfloat16": [9.8]}, 1).chosen == "float32"


def test_a_teacher_that_verifies_drafts_is_judged_by_what_drafts_gain() -> None:
    """Flat float32 passes with many drafts beat steep bfloat16 ones with few, where one token alone takes longer."""
    steep: dict[Precision, list[float]] = {"float32": [80.0] * 9, "bfloat16": [20.0 * width for width in range(1, 10)]}
    assert choose_precision(steep, 1).chosen == "bfloat16"
    assert choose_precision(steep, 1, drafting=1.0).chosen == "float32"
    assert choose_precision(steep, 1, drafting=100.0).chosen == "bfloat16"


def test_only_a_bfloat16_checkpoint_on_a_cpu_leaves_a_choice(tmp_path: Path) -> None:
    half = stored(tmp_path, "proxy", torch.bfloat16)
    assert has_choice(half, "cpu")
    assert not has_choice(half, "cuda")
    assert not has_choice(half.model_copy(update={"dtype": "float32"}), "cpu")
    assert not has_choice(half.model_copy(update={"dtype": "bfloat16"}), "cpu")
    assert not has_choice(stored(tmp_path, "proxy", torch.float32), "cpu")
    assert not has_choice(ModelSpec(source="embedded:teacher"), "cpu")
    assert not has_choice(ModelSpec(source="init:16x2", tokenizer="embedded:teacher"), "cpu")


def test_each_open_network_is_timed_in_both_precisions(tmp_path: Path) -> None:
    teacher = stored(tmp_path, "teacher", torch.bfloat16)
    proxies = {"proxy": stored(tmp_path, "proxy", torch.bfloat16), "other": ModelSpec(source="embedded:proxy")}
    loaded: list[tuple[str, str]] = []

    def load(spec: ModelSpec) -> LanguageModel:
        loaded.append((Path(spec.source).name.partition("-")[0], spec.dtype))
        return load_model(spec)

    found = settle_precisions(teacher, proxies, 3, True, load)
    assert set(found) == {"teacher", "proxy"}
    assert {("teacher", "float32"), ("teacher", "bfloat16"), ("proxy", "float32"), ("proxy", "bfloat16")} <= set(loaded)
    assert [len(costs) for costs in found["teacher"].seconds.values()] == [9, 9]
    assert [len(costs) for costs in found["proxy"].seconds.values()] == [1, 1]
    assert all(timing.rows == 3 and timing.seconds[timing.chosen][0] > 0 for timing in found.values())
    assert settle_precisions(proxies["other"], {}, 3, True, load) == {}
