"""A server that has completions rewritten: the gateway and the rewriter on real sockets."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from distillgame.errors import DistillgameError
from distillgame.gateway.config import load_serving
from tests.endpoints import Listening, Reply, completion, endpoint
from tests.gateway.servers import CONFIG, Running, server

PROMPT = "4 dog , 3 ant"


def rewritten(body: dict[str, Any], before: int) -> Reply:
    """Answers as a rewriter would; the question says how it shall fail."""
    said = body["messages"][-1]["content"]
    answer = re.findall("#### ([0-9]+)", f"#### 0 {said}")[-1]
    question = said.partition("\n")[0]
    if "7 dog" in question:
        return Reply({"error": {"message": "secret trouble"}}, 400)
    if "8 dog" in question:
        return completion("I would rather not say.")
    if "9 dog" in question and body["seed"] == first_seed(body):
        return completion(f"half of {answer}", "length")
    return completion(f"A tidy account: {answer}.\n\nThe final answer is {answer}")


SEEDS: dict[str, int] = {}


def first_seed(body: dict[str, Any]) -> int:
    """The seed with which a question was asked first."""
    return SEEDS.setdefault(body["messages"][-1]["content"], body["seed"])


@pytest.fixture(scope="module")
def writer() -> Iterator[Listening]:
    with endpoint(rewritten) as listening:
        yield listening


@pytest.fixture(scope="module")
def serving(writer: Listening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with server(tmp_path_factory.mktemp("rewriting"), config(writer.url), env={"WRITER_KEY": "opensesame"}) as running:
        yield running


def config(url: str, **fields: Any) -> dict[str, Any]:
    place = {"endpoint": url, "model": "w", "retries": 0, "api_key_env": "WRITER_KEY", **fields}
    made = copy.deepcopy(CONFIG)
    form = {"rewrite": {"writer": place, "strategy": "merged"}}
    made["policies"]["rewritten"] = {"release": {"poe": {"gamma": 0.5, "form": form}}}
    made["tiers"]["rewritten"] = {"policy": "rewritten"}
    return made


def text_of(response: httpx2.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def test_what_is_released_is_the_rewriting_and_the_ledger_charges_the_completion(
    serving: Running, writer: Listening
) -> None:
    response = serving.ask(serving.key("rewritten", "reader"), PROMPT, seed=3)
    text = text_of(response)
    assert re.fullmatch(r"A tidy account: (\d+)\.\n\nThe final answer is \1", text)
    (entry,) = serving.settled(owner="reader")
    whole = serving.ask(serving.key("standard", "whole"), PROMPT, seed=3)
    assert entry.outcome == "finished"
    assert entry.tokens == response.json()["usage"]["completion_tokens"] > 5
    assert entry.kl > 0
    asked = writer.asked[-1]
    assert asked["messages"][0]["content"].startswith(PROMPT)
    assert "in as few steps" in asked["messages"][0]["content"]
    assert asked["max_tokens"] == 512
    assert text_of(whole) != text
    assert set(writer.keys) == {"Bearer opensesame"}


def test_a_stream_has_the_rewriting_at_its_end(serving: Running) -> None:
    response = serving.ask(serving.key("rewritten"), PROMPT, seed=3, stream=True)
    chunks = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    pieces = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert "".join(pieces).startswith("A tidy account")
    assert sum(bool(piece) for piece in pieces) == 1


def test_a_rewriting_without_the_answer_is_never_released(serving: Running, writer: Listening) -> None:
    before = len(writer.asked)
    response = serving.ask(serving.key("rewritten"), "8 dog , 3 ant", seed=3)
    assert re.fullmatch(r"The final answer is \d+", text_of(response))
    assert len(writer.asked) == before + 2


def test_continued_prompts_are_rewritten_too(serving: Running) -> None:
    """The teacher need not come to an answer there, and then any rewriting will do."""
    response = serving.ask(serving.key("rewritten"), "8 dog , 3 ant", "completions", seed=3)
    assert response.status_code == 200
    released = response.json()["choices"][0]["text"]
    assert re.fullmatch(r"The final answer is \d+|I would rather not say\.|", released)


def test_a_cut_rewriting_is_asked_for_again(serving: Running, writer: Listening) -> None:
    before = len(writer.asked)
    assert text_of(serving.ask(serving.key("rewritten"), "9 dog , 3 ant", seed=3)).startswith("A tidy account")
    assert len(writer.asked) == before + 2


def test_a_failure_of_the_rewriter_releases_and_charges_nothing(serving: Running) -> None:
    response = serving.ask(serving.key("rewritten", "unlucky"), "7 dog , 3 ant", seed=3)
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "rewriter_failed"
    assert "secret" not in response.text
    (entry,) = serving.settled(owner="unlucky")
    assert entry.outcome == "error"
    assert entry.tokens == 0


def test_metrics_count_what_the_rewriter_reads_and_writes_and_the_key_is_in_no_log(serving: Running) -> None:
    text_of(serving.ask(serving.key("rewritten"), PROMPT, seed=3))
    headers = {"Authorization": f"Bearer {serving.key(None)}"}
    metrics = httpx2.get(f"{serving.base}/metrics", headers=headers).text
    counted = re.findall(
        r'distillgame_rewriting_tokens_total\{direction="(\w+)",policy="rewritten"\} ([0-9.]+)', metrics
    )
    assert {name: float(value) > 0 for name, value in counted} == {"read": True, "written": True}
    assert "opensesame" not in (serving.folder / "log").read_text()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"rewrite": {"writer": "embedded:proxy"}}, "completions are rewritten through an endpoint"),
        ("summary", "form 'summary' is not served"),
        ({"rewrite": {"writer": {"endpoint": "x", "model": "m"}}}, "an http:// or https:// address"),
    ],
)
def test_what_cannot_be_served_is_refused_at_the_start(form: Any, message: str, tmp_path: Path) -> None:
    made = copy.deepcopy(CONFIG)
    made["policies"]["rewritten"] = {"release": {"poe": {"gamma": 0.5, "form": form}}}
    path = tmp_path / "serve.json"
    path.write_text(json.dumps(made))
    with pytest.raises(DistillgameError, match=f"policies.rewritten: .*{message}"):
        load_serving(path)


def test_a_missing_key_of_the_rewriter_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="the environment has no 'WRITER_KEY'"),
        server(tmp_path, config("http://127.0.0.1:1/v1")),
    ):
        pass
