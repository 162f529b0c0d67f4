"""The judge over real sockets: what is asked, what is repeated, what survives a kill, what is refused in words."""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, Exhibit, RubricJudge, Tools
from tests.endpoints import Reply, Script, endpoint
from tests.judges.rubric.mock import EXHIBITS, level, reply

MODEL = "openai-api/local/m"


def judge(url: str, **options: Any) -> RubricJudge:
    return RubricJudge(MODEL, base_url=url, **{"criteria": [AUDITABILITY], **options})


def good(body: dict[str, Any], before: int) -> Reply:
    return reply(level(3))


def calls(asked: list[dict[str, Any]]) -> Counter[str]:
    return Counter(str(body["messages"]) for body in asked)


def test_a_call_says_what_is_asked_and_only_the_named_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHT_KEY", "sesame")
    monkeypatch.setenv("LOCAL_API_KEY", "of another service")
    with endpoint(good) as listening:
        [said] = judge(listening.url, api_key_env="RIGHT_KEY").judge(EXHIBITS[:1], Tools())
        judge(listening.url, structured=False, temperature=None, answer_tokens=9).judge(EXHIBITS[:1], Tools())
    assert (dict(said.scores), said.prompt_tokens, said.tokens) == ({AUDITABILITY: 3.0}, 7, 3)
    first, second = listening.asked
    assert (first["model"], first["temperature"], first["max_tokens"]) == ("m", 0, 1024)
    assert first["response_format"]["json_schema"]["schema"]["properties"]["level"]["enum"] == [1, 2, 3, 4, 5]
    assert first["seed"] == second["seed"]
    assert second["max_tokens"] == 9
    assert not second.keys() & {"response_format", "temperature"}
    assert listening.keys == ["Bearer sesame", "Bearer none"]


def test_no_more_calls_are_open_at_once_than_allowed() -> None:
    def slow(body: dict[str, Any], before: int) -> Reply:
        time.sleep(0.05)
        return good(body, before)

    with endpoint(slow) as listening:
        judge(listening.url, concurrency=3, criteria=None).judge(EXHIBITS[:2], Tools())
    assert (listening.most, len(listening.asked)) == (3, 12)


def test_structured_output_is_given_up_where_it_is_refused() -> None:
    def plain(body: dict[str, Any], before: int) -> Reply:
        if "response_format" in body:
            return Reply({"error": {"message": "response_format is not supported"}}, 400)
        return good(body, before)

    with endpoint(plain) as listening:
        said = judge(listening.url, concurrency=1).judge(EXHIBITS, Tools())
    assert [dict(one.scores) for one in said] == [{AUDITABILITY: 3.0}] * 4
    assert len(listening.asked) == 5


def test_failures_are_repeated_and_rates_respected() -> None:
    def busy(body: dict[str, Any], before: int) -> Reply:
        failures = [Reply({"error": "broken"}, 500), Reply({"error": "busy"}, 429, {"Retry-After": "1"})]
        return failures[before] if before < 2 else good(body, before)

    with endpoint(busy) as listening:
        start = time.monotonic()
        [said] = judge(listening.url, timeout=0.9).judge(EXHIBITS[:1], Tools())
        assert time.monotonic() - start >= 1.5
    assert said.scores == {AUDITABILITY: 3.0}
    assert len(listening.asked) == 3


def test_an_endpoint_that_hangs_is_asked_again_and_then_given_up() -> None:
    def hangs_once(body: dict[str, Any], before: int) -> Reply:
        if before == 0:
            time.sleep(1.5)
        return good(body, before)

    with endpoint(hangs_once) as listening:
        assert judge(listening.url, timeout=1.0).judge(EXHIBITS[:1], Tools())[0].scores == {AUDITABILITY: 3.0}
    with (
        endpoint(hangs_once) as listening,
        pytest.raises(DistillgameError, match=f"model {MODEL} at http://.*/v1: no answer within 0.3 seconds"),
    ):
        judge(listening.url, timeout=0.3, attempts=1).judge(EXHIBITS[:1], Tools())


def test_answers_of_all_kinds_are_told_apart() -> None:
    kinds: dict[str, tuple[Reply, str | None, int]] = {
        "nonsense": (reply("nonsense"), "malformed", 3),
        "wrong level": (reply(level(7)), "malformed", 3),
        "fenced": (reply(f"Sure:\n```json\n{level(2)}\n```\nDone."), None, 1),
        "thinking": (reply("<think>It could be {}, or a 3.</think>" + level(2)), None, 1),
        "silent": (reply(None), "refused", 1),
        "filtered": (reply(None, "content_filter"), "refused", 1),
        "unwilling": (reply(None, refusal="This is not for me."), "refused", 1),
        "cut": (reply('{"reason": "half', "length"), "truncated", 1),
    }

    def by_kind(body: dict[str, Any], before: int) -> Reply:
        return next(answer for kind, (answer, _, _) in kinds.items() if f"\n{kind}\n" in body["messages"][1]["content"])

    with endpoint(by_kind) as listening:
        said = judge(listening.url).judge([Exhibit(kind, "q", kind) for kind in kinds], Tools())
    for judgement, (kind, (_, failure, n_calls)) in zip(said, kinds.items(), strict=True):
        assert judgement.failure == failure, kind
        assert dict(judgement.scores) == ({} if failure else {AUDITABILITY: 2.0}), kind
        assert sum(f"\n{kind}\n" in str(body["messages"][1]["content"]) for body in listening.asked) == n_calls, kind


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            lambda *_: Reply({"error": {"message": "no such key: sesame-1234"}}, 401),
            r"answered 401: .*no such key: \*\*\*",
        ),
        (lambda *_: Reply({"error": {"message": "no such model"}}, 404), "answered 404: .*no such model"),
        (lambda *_: Reply({"error": "down"}, 503), "answered 503"),
        (lambda *_: Reply({"error": "full"}, 429, {"Retry-After": "86400"}), "answered 429"),
        (lambda *_: Reply({"error": {"message": "bad field"}}, 400), "answered 400: .*bad field"),
        (lambda *_: Reply("{nonsense"), "something else than a"),
        (lambda *_: Reply("[1]"), "Unexpected non-ChatCompletion"),
        (lambda *_: Reply({"choices": []}), "something else than a"),
        (lambda *_: Reply(reply("").body | {"choices": []}), "something else than a text"),
    ],
)
def test_a_total_failure_is_one_line_that_names_model_and_reason_and_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: Script, message: str
) -> None:
    monkeypatch.setenv("RIGHT_KEY", "sesame-1234")
    journal = tmp_path / "journal.jsonl"
    with endpoint(script) as listening:
        made = judge(listening.url, attempts=1, api_key_env="RIGHT_KEY", concurrency=1)
        with pytest.raises(
            DistillgameError, match=f"^judge 'rubric': model {MODEL} at {listening.url}: .*{message}"
        ) as caught:
            made.judge(EXHIBITS, Tools(journal=journal))
    assert "sesame" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(listening.asked) <= 2
    assert not journal.exists()


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with endpoint(good) as listening:
        pass
    with pytest.raises(DistillgameError, match=f"model {MODEL} at {listening.url}: Connection error"):
        judge(listening.url, attempts=1).judge(EXHIBITS, Tools())


def test_answers_under_way_are_kept_when_a_call_fails(tmp_path: Path) -> None:
    failed = threading.Event()

    def third_fails(body: dict[str, Any], before: int) -> Reply:
        if before == 2:
            failed.set()
            return Reply({"error": "gone"}, 404)
        failed.wait(5)
        time.sleep(0.2)
        return good(body, before)

    tools = Tools(journal=tmp_path / "journal.jsonl")
    with endpoint(third_fails) as listening:
        with pytest.raises(DistillgameError, match="answered 404"):
            judge(listening.url, concurrency=3).judge(EXHIBITS, tools)
        assert len(listening.asked) == 3
        judge(listening.url).judge(EXHIBITS, tools)
    assert sorted(calls(listening.asked).values()) == [1, 1, 1, 2]


def test_a_killed_judge_asks_nothing_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIGHT_KEY", "sesame-1234")
    pid = multiprocessing.get_context("fork").Value("i", 0)

    def kills_at_nine(body: dict[str, Any], before: int) -> Reply:
        if before == 8:
            os.kill(pid.value, signal.SIGKILL)
        return good(body, before)

    journal = tmp_path / "journal.jsonl"
    with endpoint(kills_at_nine) as listening:
        made = judge(listening.url, criteria=None, concurrency=1, api_key_env="RIGHT_KEY")
        child = multiprocessing.get_context("fork").Process(
            target=made.judge, args=(EXHIBITS[:2], Tools(journal=journal))
        )
        child.start()
        pid.value = child.pid or 0
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        answered = calls(listening.asked[:8])
        assert len(journal.read_text().splitlines()) == len(answered) == 8
        with journal.open("a") as file:
            file.write('{"asked": "half a li')
        said = made.judge(EXHIBITS[:2], Tools(journal=journal))
        assert len(listening.asked) == 9 + 4
        assert not answered & calls(listening.asked[9:])
        assert made.judge(EXHIBITS[:2], Tools(journal=journal)) == said == made.judge(EXHIBITS[:2], Tools())
        assert len(listening.asked) == 9 + 4 + 12
    assert [len(one.scores) for one in said] == [6, 6]
    assert "sesame" not in journal.read_text()
