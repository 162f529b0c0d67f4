"""What docs/serving.md and docs/vllm.md show has to work."""

import re
from pathlib import Path

import pytest
import yaml

from distillgame.gateway.api.fields import IGNORED, NEUTRAL, REFUSED
from distillgame.gateway.config import load_serving

from .servers import Running

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "serving.md").read_text()


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_client_of_the_page_prints_an_answer(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = blocks("python")
    monkeypatch.setenv("KEY", running.key())
    exec(block.replace("http://127.0.0.1:8000", running.base), {})
    assert "####" in capsys.readouterr().out


def test_the_configuration_of_the_page_is_sound() -> None:
    block = blocks("yaml")[0]
    config = load_serving(yaml.safe_load(block))
    assert set(config.tiers) == {"trusted", "standard", "guarded"}


def test_the_configuration_for_vllm_is_sound() -> None:
    config = load_serving(yaml.safe_load(blocks("yaml", (DOCS / "vllm.md").read_text())[0]))
    assert config.uses_vllm
    assert config.strictest.label == "poe gamma=0.35"


def test_the_fields_of_the_page_are_those_that_are_refused_and_ignored() -> None:
    table = PAGE[PAGE.index("## What a client may ask") : PAGE.index("## The ledger")]
    ignored, refused = (
        table.split("| accepted and ignored")[0].splitlines()[-1],
        table.split("| refused with 400")[0].splitlines()[-1],
    )
    assert set(re.findall(r"`(\w+)`", ignored)) <= IGNORED
    assert set(re.findall(r"`(\w+)`", refused)) <= set(REFUSED) | set(NEUTRAL)
