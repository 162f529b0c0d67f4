"""The judge through Anthropic's Messages API, over a real socket: what is sent, what counts, and who gets which key."""

import time
from pathlib import Path
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, Exhibit, RubricJudge, Tools
from tests.endpoints import Reply, endpoint
from tests.judges.rubric.mock import EXHIBITS, level

MODEL = "anthropic/claude-sonnet-4-0"
KEY, TOKEN = "sk-ant-sesame-1234", "oauth-of-the-provider"


def judge(url: str, **options: Any) -> RubricJudge:
    # Anthropic's addresses come without the version.
    return RubricJudge(MODEL, base_url=url.removesuffix("/v1"), **{"criteria": [AUDITABILITY], **options})


def message(text: str | None, ending: str = "end_turn") -> Reply:
    """Return a response of the Messages API, most of whose prompt was in its cache."""
    content = [] if text is None else [{"type": "text", "text": text}]
    usage = {"input_tokens": 4, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1, "output_tokens": 3}
    fixed = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-0"}
    return Reply({**fixed, "content": content, "stop_reason": ending, "stop_sequence": None, "usage": usage})


def error(status: int, kind: str, text: str, **headers: str) -> Reply:
    return Reply({"type": "error", "error": {"type": kind, "message": text}}, status, headers)


def good(body: dict[str, Any], before: int) -> Reply:
    return message(level(3))


def test_a_call_says_what_is_asked_and_every_token_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHT_KEY", KEY)
    with endpoint(good) as listening:
        [said] = judge(listening.url, api_key_env="RIGHT_KEY").judge(EXHIBITS[:1], Tools())
    assert (dict(said.scores), said.prompt_tokens, said.tokens) == ({AUDITABILITY: 3.0}, 7, 3)
    [asked] = listening.asked
    assert (asked["model"], asked["max_tokens"]) == ("claude-sonnet-4-0", 1024)
    assert "You judge the written reasoning of others" in str(asked["system"])
    assert [said["role"] for said in asked["messages"]] == ["user"]
    assert EXHIBITS[0].text in asked["messages"][0]["content"]
    assert asked["output_format"]["schema"]["properties"]["level"]["enum"] == [1, 2, 3, 4, 5]


def test_another_address_is_sent_the_named_key_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's library prefers a token in the environment to the key that it is given."""
    monkeypatch.setenv("RIGHT_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the provider's own")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", TOKEN)
    with endpoint(good) as listening:
        judge(listening.url, api_key_env="RIGHT_KEY").judge(EXHIBITS[:1], Tools())
        judge(listening.url).judge(EXHIBITS[:1], Tools())
    assert listening.keys == [f"Bearer {KEY}", "Bearer none"]


@pytest.mark.parametrize(
    ("answer", "failure", "calls"),
    [
        (message("nonsense"), "malformed", 3),
        (message(level(7)), "malformed", 3),
        (message(None, "refusal"), "refused", 1),
        (message("I cannot judge this."), "refused", 1),
        (message('{"reason": "half', "max_tokens"), "truncated", 1),
    ],
)
def test_what_does_not_count_is_told_apart(answer: Reply, failure: str, calls: int) -> None:
    with endpoint(lambda body, before: answer) as listening:
        [said] = judge(listening.url).judge(EXHIBITS[:1], Tools())
    assert (dict(said.scores), said.failure, len(listening.asked)) == ({}, failure, calls)


def test_overload_is_waited_for_and_structured_output_given_up_where_it_is_refused() -> None:
    def busy(body: dict[str, Any], before: int) -> Reply:
        if before == 0:
            return error(429, "rate_limit_error", "slow down", **{"retry-after": "1"})
        if before == 1:
            return error(529, "overloaded_error", "Overloaded")
        if "output_format" in body:
            return error(400, "invalid_request_error", "output_format: Extra inputs are not permitted")
        return message(level(4))

    with endpoint(busy) as listening:
        start = time.monotonic()
        said = judge(listening.url, concurrency=1).judge(EXHIBITS[:2], Tools())
        assert time.monotonic() - start >= 1.5
    assert [dict(one.scores) for one in said] == [{AUDITABILITY: 4.0}] * 2
    assert ["output_format" in body for body in listening.asked] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("environment", "options"),
    [("RIGHT_KEY", {"api_key_env": "RIGHT_KEY"}), ("ANTHROPIC_API_KEY", {}), ("ANTHROPIC_AUTH_TOKEN", {})],
)
def test_no_key_is_in_errors_journals_or_logs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: str, options: dict[str, Any]
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(environment, KEY)

    def third_fails(body: dict[str, Any], before: int) -> Reply:
        return error(401, "authentication_error", f"invalid x-api-key: {KEY}") if before == 2 else good(body, before)

    with endpoint(third_fails) as listening:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", listening.url.removesuffix("/v1"))
        made = RubricJudge(MODEL, criteria=[AUDITABILITY], concurrency=1, log_dir=str(tmp_path / "logs"), **options)
        with pytest.raises(DistillgameError, match=r"answered 401: .*invalid x-api-key: \*\*\*") as caught:
            made.judge(EXHIBITS, Tools(journal=tmp_path / "journal.jsonl"))
        made.judge(EXHIBITS, Tools(journal=tmp_path / "journal.jsonl"))
    assert set(listening.keys) == {f"Bearer {KEY}"}
    assert len(listening.asked) == len(EXHIBITS) + 1
    assert "sesame" not in str(caught.value)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".jsonl", ".eval"}
    assert not any(b"sesame" in path.read_bytes() for path in written)


def test_without_a_key_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DistillgameError, match=f"model {MODEL}: .*ANTHROPIC_API_KEY"):
        RubricJudge(MODEL).judge([Exhibit("a", "q", "t")], Tools())
