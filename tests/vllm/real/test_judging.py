"""A real vLLM as the judge: its server answers, and what a model says that learnt nothing is counted, not scored."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, Exhibit, Judgement, RubricJudge, Tools
from distillgame.models import locate

from .serving import free_port, process

KEY = "sesame-1234"
EXHIBITS = [Exhibit(f"e{i}", f"{i} + 1?", f"{i + 1}", turn=i) for i in range(4)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("inspect_ai")
    port, model = free_port(), untrained(tmp_path_factory.mktemp("model"))
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--port", str(port),
        "--served-model-name", "nobody", "--dtype", "float32", "--enforce-eager", "--host", "127.0.0.1",
        "--gpu-memory-utilization", "0.1", "--api-key", KEY,
        "--enable-auto-tool-choice", "--tool-call-parser", "hermes",  # which every call of Anthropic's library asks for
    ]  # fmt: skip
    with process(command, tmp_path_factory.mktemp("vllm"), "Application startup complete"):
        yield f"http://127.0.0.1:{port}/v1"


def untrained(folder: Path) -> Path:
    """Write a network that can spell everything, with heads of a size that vLLM's build for CPUs knows."""
    from transformers import AutoConfig, AutoModelForCausalLM

    source = Path(locate("embedded:student-bpe").name)
    for path in (*source.glob("tokenizer*"), source / "chat_template.jinja"):
        shutil.copy(path, folder)
    config = AutoConfig.from_pretrained(
        source, hidden_size=64, num_attention_heads=2, num_key_value_heads=2, head_dim=32
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def judged(url: str, model: str, journal: Path, **options: Any) -> tuple[list[Judgement], list[str]]:
    """Return the judgements, and the texts of all answers; vLLM has Anthropic's Messages API, too."""
    url = url.removesuffix("/v1") if model.startswith("anthropic") else url
    settings = {"criteria": [AUDITABILITY], "answer_tokens": 60, "retries": 1, "attempts": 1, **options}
    said = RubricJudge(model, base_url=url, **settings).judge(EXHIBITS, Tools(journal=journal))
    return said, [json.loads(line)["text"] for line in journal.read_text().splitlines()]


@pytest.mark.parametrize("model", ["openai-api/local/nobody", "vllm/nobody", "anthropic/nobody"])
def test_nonsense_is_counted_and_not_scored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, model: str
) -> None:
    monkeypatch.setenv("RIGHT_KEY", KEY)
    said, texts = judged(url, model, tmp_path / "journal", api_key_env="RIGHT_KEY", structured=False)
    assert [dict(one.scores) for one in said] == [{}] * 4
    assert {one.failure for one in said} <= {"malformed", "truncated"}
    assert all(one.prompt_tokens > 1500 and 0 < one.tokens <= 120 for one in said)
    assert len(texts) >= 4
    assert not any('"reason"' in text for text in texts)


@pytest.mark.parametrize("model", ["openai-api/local/nobody", "vllm/nobody"])
def test_structured_output_forces_the_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, model: str
) -> None:
    monkeypatch.setenv("RIGHT_KEY", KEY)
    _, texts = judged(url, model, tmp_path / "journal", api_key_env="RIGHT_KEY")
    assert len(texts) == 4
    assert all(re.match(r'\{\s*"reason"\s*:\s*"', text) for text in texts)


@pytest.mark.parametrize("model", ["openai-api/local/nobody", "vllm/nobody"])
def test_an_endpoint_is_not_sent_the_providers_own_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, model: str
) -> None:
    """It would be the right one."""
    for provider in ("LOCAL", "VLLM"):
        monkeypatch.setenv(f"{provider}_API_KEY", KEY)
    with pytest.raises(DistillgameError, match=f"model {model} at {url}: answered 401"):
        judged(url, model, tmp_path / "journal")
