"""`distillgame serve --dry-run`: a start without networks, ports or a ledger, and the memory that it would take."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from distillgame.errors import DistillgameError
from distillgame.gateway.config import load_serving
from distillgame.gateway.dry_run import estimate
from distillgame.models import load_model, load_tokenizer
from tests.vllm.pairs import PROXY_TOKENIZER, save_random, teacher_tokenizer


def said(source: str | None = None, memory: float | None = None, **overrides: Any) -> str:
    """The dry run of a shipped configuration with values replaced; two underscores stand for a dot."""
    return estimate(load_serving(source, {name.replace("__", "."): value for name, value in overrides.items()}), memory)


def row(text: str, network: str) -> list[str]:
    """The cells of a network in the table."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{network} ")]
    return re.split(r"  +", line)


def test_the_embedded_pair_takes_what_its_loaded_networks_take() -> None:
    text = said()
    whole = 0
    for name in ("teacher", "proxy"):
        model = load_model(f"embedded:{name}").model
        weights = sum(p.numel() * p.element_size() for p in model.parameters())
        cache = model(input_ids=torch.tensor([[1]]), use_cache=True).past_key_values
        token = sum(each.nbytes for layer in cache.layers for each in (layer.keys, layer.values))
        assert row(text, name)[2:4] == [f"{weights / 1e6:.3g} MB", f"{token:,} B"]
        whole += token
    assert row(text, "in all")[-1] == f"{whole:,} B"
    # Four policies, each with an engine that reads both networks.
    assert f"65,536 tokens, in every engine: {4 * whole * 65_536 / 1e9:.3g} GB" in text
    assert "not checked" not in text


def test_in_vllm_small_heads_are_padded_and_a_cpu_gives_two_gibibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    text = said(vllm={"max_model_len": 1024})
    token = 2 * 4 * (4 * 4 * 32 + 2 * 4 * 32)  # the proxy has heads of 28
    assert row(text, "in all")[-1] == f"{token:,} B"
    assert "a block holds 128 tokens of each: teacher 67%, proxy 33%" in text
    # vLLM 0.32 for CPUs makes 2,730 blocks of this pair, and keeps one.
    assert f"at most 2.15 GB for keys and values: {128 * 2_729:,} tokens" in text
    assert f"at most {2_729 // 8:,} sequences of 1,024 tokens" in text
    assert "a block holds 32 tokens of each" in said(vllm={"max_model_len": 1024, "arguments": {"block_size": 32}})


def test_the_papers_pair_on_one_gpu_as_calculated_by_hand() -> None:
    """28 layers of 4 heads and 36 of 2, all of 128 dimensions in two bytes, and 7.62 and 3.09 billion weights."""
    text = said("paper", 80e9, vllm__enabled=True)
    assert row(text, "teacher")[1:4] == ["7.62B", "15.2 GB", "57,344 B"]
    assert row(text, "proxy")[1:4] == ["3.09B", "6.18 GB", "36,864 B"]
    assert row(text, "in all")[1:] == ["21.4 GB", "94,208 B"]
    # 0.9 of 80 GB less 21.42 GB is 50.58 GB, or 33,556 blocks of 16 tokens; vLLM keeps one, and 4,096 tokens take 256.
    assert "a block holds 16 tokens of each: teacher 61%, proxy 39%" in text
    assert "at most 50.6 GB for keys and values: 536,880 tokens" in text
    assert "at most 131 sequences of 4,096 tokens at once ('engine.batch_size' is 64)" in text


@pytest.mark.parametrize(("gpus", "teacher", "proxy"), [(2, 28_672, 18_432), (4, 14_336, 18_432)])
def test_a_head_is_not_split_over_gpus(gpus: int, teacher: int, proxy: int) -> None:
    """The proxy has two heads of keys and values: four GPUs hold each of them twice."""
    text = said("paper", 24e9, vllm__enabled=True, vllm__tensor_parallel_size=gpus)
    assert (row(text, "teacher")[3], row(text, "proxy")[3]) == (f"{teacher:,} B", f"{proxy:,} B")
    assert row(text, "in all")[1] == f"{21.42 / gpus:.3g} GB"
    room = 0.9 * 24e9 - 21.42e9 / gpus
    assert f"{16 * (int(room // (16 * (teacher + proxy))) - 1):,} tokens" in text


def test_a_direction_doubles_its_proxy_in_float32(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "g.safetensors")
    ads: dict[str, Any] = {
        "policies": {"ads": {"release": {"ads": {"lambda": 0.2}}}},
        "tiers": {"all": {"policy": "ads"}},
    }
    text = said(memory=80e9, vllm={"max_model_len": 1024}, directions={"proxy": str(tmp_path / "g.safetensors")}, **ads)
    assert row(text, "teacher")[3] == f"{2 * 4 * 4 * 4 * 32:,} B"
    assert row(text, "proxy")[3] == f"{2 * 2 * 4 * 2 * 4 * 32:,} B"
    assert row(text, "proxy")[1].startswith("2 x ")
    ads["policies"] |= {"more": {"release": {"ads": {"lambda": 0.4}}}}
    own = said(directions={"proxy": str(tmp_path / "g.safetensors")}, **ads)
    # Two engines of ours share the moved copies, and each keeps keys and values of its own.
    moved = 2 * 2 * 4 * 2 * 4 * 28
    assert row(own, "proxy ± t·g")[3] == f"{moved:,} B"
    assert f"in every engine: {2 * 65_536 * (4096 + moved) / 1e9:.3g} GB" in own


def test_keys_and_values_in_one_byte() -> None:
    text = said("paper", 80e9, vllm__enabled=True, vllm__arguments={"kv_cache_dtype": "fp8"})
    assert row(text, "in all")[1:] == ["21.4 GB", "47,104 B"]


def test_what_is_unknown_is_said_with_what_to_add() -> None:
    bare = {"teacher": "somebody/large", "proxy": {"source": "somebody/small", "parameters": 1e9}}
    text = said("paper", 80e9, vllm__enabled=True, **bare)
    assert "say 'parameters' of teacher, or download it: its weights are unknown" in text
    assert "say 'cache' of proxy, or download it: its keys and values are unknown" in text
    assert row(text, "in all")[1:] == ["unknown", "unknown"]
    assert "sequences" not in text
    assert "teacher: somebody/large is not in a folder here" in text
    stated = {"source": "somebody/large", "dtype": "bfloat16", "cache": {"layers": 1, "heads": 1, "size": 32}}
    half = said("paper", 80e9, vllm__enabled=True, teacher=stated)
    assert "'parameters' of teacher" in half
    assert "--gpu-memory" not in half
    assert "say --gpu-memory" in said("paper", vllm__enabled=True)


def test_another_server_loads_nothing_here() -> None:
    text = said(upstream={"url": "http://127.0.0.1:1/v1", "measured": True})
    assert "http://127.0.0.1:1/v1 samples: no network is loaded here" in text


VLLM: dict[str, Any] = {"vllm": {"max_model_len": 1024}}


@pytest.mark.parametrize(
    ("source", "memory", "overrides", "message"),
    [
        ("paper", 16e9, {"vllm__enabled": True}, "the weights alone take 21.4 GB on each GPU, and 14.4 GB of its"),
        ("paper", 16e9, {"vllm__enabled": False}, "the weights alone take 21.4 GB on each GPU, and 16 GB of its"),
        ("paper", 24e9, {"vllm__enabled": True, "vllm__max_model_len": 32768}, "one sequence of 32768 tokens"),
        (None, None, {"teacher": "./absent"}, "no such folder"),
        (None, None, {"directions": {"proxy": "none.safetensors"}}, "directions.proxy"),
        (None, None, {"monitor": {"reference": "none.txt"}}, "No such file"),
        (None, None, {"ledger": "mysql://x/y"}, "only sqlite and postgresql"),
        (None, None, {"upstream": {"url": "http://h/v1", "measured": True, "api_key_env": "NO_SUCH"}}, "'NO_SUCH'"),
        (None, None, {"proxy": "embedded:bestiary-proxy"}, "shares only"),
        (None, None, VLLM | {"proxy": "embedded:bestiary-proxy"}, "shares only"),
        (None, None, VLLM | {"proxy": {"source": "embedded:proxy", "seed": 1, "dtype": "bfloat16"}}, "not honoured"),
        (None, None, {"vllm": {"max_model_len": 4096}}, "proxy 'proxy' reads 2048 tokens"),
        (
            "paper",
            80e9,
            {"vllm__enabled": True, "vllm__arguments": {"spec_model": "some/model@main"}},
            "or its plain hub",
        ),
        (None, 1e9, {"vllm": {"arguments": {"gpu_memory_utilization": 9}}}, "a number from 0 to 1"),
    ],
)
def test_what_a_start_would_refuse_is_refused(
    source: str | None, memory: float | None, overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(DistillgameError) as error:
        said(source, memory, **overrides)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A teacher with tokens that the proxy lacks."""
    folder = tmp_path_factory.mktemp("pair")
    return {
        "teacher": str(save_random(folder / "teacher", teacher_tokenizer(), 1, 3)),
        "proxy": str(save_random(folder / "proxy", load_tokenizer(PROXY_TOKENIZER), 2, 8)),
    }


def test_a_provider_is_told_what_the_proxy_reads_in_place_of_tokens_that_it_lacks(pair: dict[str, Any]) -> None:
    lines = said(**pair, **VLLM).splitlines()
    (line,) = [line for line in lines if "reads stand-ins for 7 of the teacher's" in line]
    assert "'<think>' as '>'" in line
    assert lines[lines.index(line) - 1] == "to know"
    # Our own engine needs none.
    assert "to know" not in said(**pair)


def test_a_proxy_with_other_tokens_may_not_draft_for_the_teacher(pair: dict[str, Any]) -> None:
    def drafting(name: str) -> str:
        arguments = {"speculative_config": {"method": "draft_model", "model": pair[name], "num_speculative_tokens": 2}}
        return said(**pair, vllm={"max_model_len": 1024, "arguments": arguments})

    assert "vLLM samples" in drafting("teacher")
    with pytest.raises(DistillgameError, match="has other tokens than the teacher and cannot draft"):
        drafting("proxy")


def test_nothing_is_opened_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a dry run opened a connection or loaded weights")

    monkeypatch.chdir(tmp_path)
    for name in ("connect", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr("safetensors.torch.load_file", refuse)
    monkeypatch.setattr("transformers.PreTrainedModel.from_pretrained", refuse)
    both: tuple[dict[str, Any], ...] = ({}, VLLM)
    for overrides in both:
        said(**overrides)
        said("paper", 80e9, vllm__enabled=bool(overrides))
    assert list(tmp_path.iterdir()) == []
