"""The judge with inspect_ai's mock: scores, failures, costs, options, logs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import read_eval_log

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, JudgeChoice, Judgement, RubricJudge, Tools, judges
from distillgame.judges.rubric import read_rubric
from tests.judges.rubric.mock import EXHIBITS, level, mock

SIX = list(read_rubric())


def judge(**options: Any) -> RubricJudge:
    return RubricJudge("mockllm/model", **options)


def asks(text: str, criterion: str) -> bool:
    return read_rubric()[criterion].asks in text


def test_a_configuration_names_it() -> None:
    made = JudgeChoice.model_validate({"rubric": {"model": "openai/gpt-4o", "criteria": [AUDITABILITY]}}).judge
    assert isinstance(made, RubricJudge)
    assert list(made.scales) == [AUDITABILITY]
    assert "rubric" in judges.names()


def test_each_criterion_is_a_call_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = mock(monkeypatch, lambda text, before: level(4 if asks(text, AUDITABILITY) else 2))
    told: list[tuple[int, int]] = []
    said = judge().judge(EXHIBITS, Tools(progress=lambda *done: told.append(done)))
    assert [dict(one.scores) for one in said] == [{name: 4.0 if name == AUDITABILITY else 2.0 for name in SIX}] * 4
    assert said[0].reasons == dict.fromkeys(SIX, "because")
    assert len(asked) == judge().calls(4) == 24
    assert told == [(i, 4) for i in range(1, 5)]
    for exhibit in EXHIBITS:
        assert sum(exhibit.text in text and exhibit.question in text for text, _ in asked) == 6


def test_the_same_seed_asks_the_same_and_another_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = mock(monkeypatch, lambda *_: level(1))
    one = judge(criteria=[AUDITABILITY], concurrency=1)
    for seed in (0, 0, 1):
        one.judge(EXHIBITS[:1], Tools(seed=seed))
    (first, config), (again, same), (other, changed) = asked
    assert first == again != other
    assert config.seed == same.seed != changed.seed
    assert config.temperature == same.temperature == 0


def test_a_judgement_depends_on_no_other_exhibit(monkeypatch: pytest.MonkeyPatch) -> None:
    mock(monkeypatch, lambda text, _: level(1 + sum(map(ord, text)) % 3))
    together = judge().judge(EXHIBITS, Tools())
    assert judge().judge(EXHIBITS[2:3], Tools()) == [together[2]]


def test_malformed_answers_are_asked_again_with_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = mock(monkeypatch, lambda _, before: "hm" if before < 2 else level(3))
    [said] = judge(criteria=[AUDITABILITY]).judge(EXHIBITS[:1], Tools())
    assert said.scores == {AUDITABILITY: 3.0}
    assert len({config.seed for _, config in asked}) == len(asked) == 3
    assert (said.prompt_tokens, said.tokens) == (3 * 7, 3 * 3)


def test_what_stays_malformed_is_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = mock(monkeypatch, lambda text, _: level(3) if asks(text, "clean_text") else level(9))
    some, none = (
        judge(criteria=[AUDITABILITY, *more]).judge(EXHIBITS[:1], Tools())[0] for more in (["clean_text"], [])
    )
    assert (dict(some.scores), some.failure) == ({"clean_text": 3.0}, None)
    assert (dict(none.scores), none.failure) == ({}, "malformed")
    assert len(asked) == 4 + 3


@pytest.mark.parametrize(
    ("text", "stop", "failure"),
    [
        ("I'm sorry, I can't.", "stop", "refused"),
        ("", "stop", "refused"),
        (level(3), "content_filter", "refused"),
        ('{"reason": "the', "max_tokens", "truncated"),
        ("too long", "model_length", "truncated"),
    ],
)
def test_refusals_and_cut_answers_are_asked_once(
    monkeypatch: pytest.MonkeyPatch, text: str, stop: str, failure: str
) -> None:
    asked = mock(monkeypatch, lambda *_: text, stop)
    [said] = judge().judge(EXHIBITS[:1], Tools())
    assert (said.failure, dict(said.scores), len(asked)) == (failure, {}, 6)
    assert said.prompt_tokens == 6 * 7


def test_a_batch_stops_at_its_tokens_and_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = mock(monkeypatch, lambda *_: level(2))
    tools = Tools(journal=tmp_path / "journal.jsonl")
    one, bounded = judge(concurrency=1), judge(concurrency=1, max_tokens=1)
    whole = one.judge(EXHIBITS[:2], Tools())
    asked.clear()
    first, second = bounded.judge(EXHIBITS[:2], tools)
    assert len(asked) == 1
    assert (len(first.scores), first.failure) == (1, None)
    assert second == Judgement(failure="unasked")
    for _ in range(11):
        said = bounded.judge(EXHIBITS[:2], tools)
    assert said == whole
    assert len(asked) == 12


def test_logs_show_what_was_asked_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mock(monkeypatch, lambda text, before: "hm" if asks(text, "clean_text") else level(2, "why not"))
    made = judge(log_dir=str(tmp_path / "logs"), criteria=[AUDITABILITY, "clean_text"])
    tools = Tools(journal=tmp_path / "journal.jsonl")
    made.judge(EXHIBITS[:2], tools)
    made.judge(EXHIBITS[:2], tools)
    first, again = (read_eval_log(str(path)) for path in sorted((tmp_path / "logs").iterdir()))
    assert first.results is not None
    assert {score.name: (score.scored_samples, score.unscored_samples) for score in first.results.scores} == {
        AUDITABILITY: (2, 0),
        "clean_text": (0, 2),
    }
    [sample, _], [same, _] = first.samples or [], again.samples or []
    assert sample.scores is not None
    assert (sample.scores[AUDITABILITY].value, sample.scores[AUDITABILITY].explanation) == (2, "why not")
    assert sample.metadata["failures"] == {"clean_text": "malformed"}
    assert [message.role for message in sample.messages] == ["system", *["user", "assistant"] * 4]
    assert [message.text for message in sample.messages] == [message.text for message in same.messages]


def test_nothing_is_imported_or_needed_before_a_model_is_asked() -> None:
    code = (
        "import sys; sys.modules['inspect_ai.model'] = None\n"
        "from distillgame.judges import Exhibit, RubricJudge, Tools\n"
        "judge = RubricJudge('openai/gpt-4o'); assert 'inspect_ai' not in sys.modules\n"
        "try: judge.judge([Exhibit('a', 'q', 't')], Tools())\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("DistillgameError judge 'rubric': models are asked through the library 'inspect_ai': ")
    assert ran.stdout.endswith("pip install 'distillgame[judge]'\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "gpt-4o"}, r"model: a name as inspect_ai has it, PROVIDER/MODEL .* \(found 'gpt-4o'\)"),
        ({"base_url": "ftp://x"}, "base_url: an http:// or https:// address"),
        ({"retries": -1}, r"retries: at least 0 \(found -1\)"),
        ({"concurrency": 0}, "concurrency: at least 1"),
        ({"max_tokens": 0}, "max_tokens: at least 1"),
        ({"timeout": 0.0}, "timeout is positive"),
        ({"temperature": -1.0}, "temperature is not negative"),
        ({"rubric": "none.yaml"}, "none.yaml: no such file"),
        ({"temperature": "hot"}, "temperature: "),
        ({"temprature": 1.0}, "unknown option 'temprature'"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillgameError, match=f"^judge 'rubric': .*{message}"):
        judges.make("rubric", {"model": "mockllm/model", **options})


def test_a_model_or_key_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_API_KEY", raising=False)
    monkeypatch.delenv("NO_KEY", raising=False)
    for made, message in [
        (RubricJudge("nobody/m"), "model nobody/m: .*not recognized"),
        (RubricJudge("openai-api/local/m"), "model openai-api/local/m: .*LOCAL_API_KEY"),
        (RubricJudge("vllm/m"), "model vllm/m: .*pip install vllm$"),
        (judge(api_key_env="NO_KEY"), r"the environment has no 'NO_KEY' \(api_key_env\)"),
    ]:
        with pytest.raises(DistillgameError, match=message) as caught:
            made.judge(EXHIBITS, Tools())
        assert "\n" not in str(caught.value)
        assert "[bold]" not in str(caught.value)
