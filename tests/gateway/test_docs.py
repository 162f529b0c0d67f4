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
    block = blocks("python")[0]
    monkeypatch.setenv("KEY", running.key())
    exec(block.replace("http://127.0.0.1:8000", running.base), {})
    assert "####" in capsys.readouterr().out


def test_the_marks_of_the_page_are_read_as_the_page_reads_them(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert running.ask(running.key("marked", "reader")).status_code == 200
    running.settled(owner="reader")
    exec(blocks("python")[1].replace("sqlite:///distillgame.db", running.url), {})
    *lines, digest = capsys.readouterr().out.split("\n")[:-1]
    assert any(line.startswith("reader keyed salts=1 width=4 ") for line in lines)
    assert re.fullmatch("[0-9a-f]{64}", digest)


def test_the_marked_tiers_of_the_page_are_sound() -> None:
    (block,) = (block for block in blocks("yaml") if "mark:" in block)
    config = load_serving(overrides=yaml.safe_load(block))
    assert {name for name in config.tiers if config.mark(name)} == {"marked", "tilted"}
    assert config.marks.epoch_days == 90


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
