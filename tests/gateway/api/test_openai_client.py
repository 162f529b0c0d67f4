"""The official client, unchanged, against a real server."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from ..servers import MODEL, Running

ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "4 dog , 3 ant"}]


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.base}/v1", api_key=running.key("standard"), max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def trusted(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.base}/v1", api_key=running.key("trusted"), max_retries=0) as found:
        yield found


def test_a_conversation_is_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ASKED, seed=1)
    assert answer.choices[0].message.role == "assistant"
    assert "####" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.model == MODEL


def test_a_stream_is_the_same_answer_in_pieces(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASKED, seed=2)
    stream = client.chat.completions.create(
        model=MODEL, messages=ASKED, seed=2, stream=True, stream_options={"include_usage": True}
    )  # fmt: skip
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_several_choices_are_different_draws(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ASKED, n=6, seed=3)
    assert [choice.index for choice in answer.choices] == list(range(6))
    assert len({choice.message.content for choice in answer.choices}) > 1
    stream = client.chat.completions.create(model=MODEL, messages=ASKED, n=6, seed=3, stream=True)
    texts = dict.fromkeys(range(6), "")
    for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert list(texts.values()) == [choice.message.content for choice in answer.choices]


def test_a_conversation_goes_on_with_the_clients_own_message(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model=MODEL, messages=ASKED)
    said: list[Any] = [*ASKED, first.choices[0].message, {"role": "user", "content": "2 cow"}]
    assert client.chat.completions.create(model=MODEL, messages=said).choices[0].message.content
    empty: list[Any] = [*ASKED, {"role": "assistant", "content": None, "tool_calls": None}, *ASKED]
    assert client.chat.completions.create(model=MODEL, messages=empty, stop="").choices


def test_a_batch_of_texts_is_continued(client: openai.OpenAI) -> None:
    assert len(client.completions.create(model=MODEL, prompt=["4 dog"] * 20, max_tokens=2).choices) == 20


def test_a_completion_ends_at_a_stop_string_and_at_its_length(client: openai.OpenAI) -> None:
    stopped = client.chat.completions.create(model=MODEL, messages=ASKED, stop=["####", "nowhere"], seed=2)
    assert stopped.choices[0].finish_reason == "stop"
    assert "#" not in (stopped.choices[0].message.content or "")
    pieces = client.chat.completions.create(model=MODEL, messages=ASKED, stop="####", seed=2, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in pieces)
    assert text == stopped.choices[0].message.content
    cut = client.chat.completions.create(model=MODEL, messages=ASKED, max_completion_tokens=5)
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 5


def test_a_text_is_continued(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt=["4 dog", "3 ant"], n=2, max_tokens=6)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 4
    stream = client.completions.create(model=MODEL, prompt="4 dog", max_tokens=20, stream=True, seed=1)
    text = "".join(chunk.choices[0].text for chunk in stream)
    assert text == client.completions.create(model=MODEL, prompt="4 dog", max_tokens=20, seed=1).choices[0].text


def test_log_probabilities_of_an_undefended_policy(trusted: openai.OpenAI) -> None:
    answer = trusted.chat.completions.create(
        model=MODEL, messages=ASKED, logprobs=True, top_logprobs=3, temperature=0, max_tokens=8
    )  # fmt: skip
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert len(logprobs.content) == 8
    assert "".join(token.token for token in logprobs.content) == answer.choices[0].message.content
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 3 for token in logprobs.content)
    old = trusted.completions.create(model=MODEL, prompt="4 dog", logprobs=2, max_tokens=4)
    assert old.choices[0].logprobs is not None
    assert len(old.choices[0].logprobs.tokens or ()) == 4


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "distillgame"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_errors_are_the_clients_own(client: openai.OpenAI, running: Running) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(model="gpt-5", messages=ASKED)
    with pytest.raises(openai.BadRequestError, match="tools"):
        client.chat.completions.create(
            model=MODEL, messages=ASKED, tools=[{"type": "function", "function": {"name": "f"}}]
        )  # fmt: skip
    with pytest.raises(openai.BadRequestError, match="context"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "4 dog , " * 2000}])
    stranger = openai.OpenAI(base_url=f"{running.base}/v1", api_key="dg-wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    with pytest.raises(openai.BadRequestError, match="empty"):
        client.completions.create(model=MODEL, prompt="")
