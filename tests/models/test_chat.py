from datetime import datetime, tzinfo

import pytest

from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec, load_tokenizer, training_example
from distillgame.models.chat import TEMPLATES, prompt_ids

QUESTION = "9 crab , 7 bee"
COMPLETION = "9 crab : 9 x 10 = 90 total 90 . 7 bee : 7 x 6 = 42 total 132 . #### 132"
CONVERSATION = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": COMPLETION}]

SHIPPED = [
    *(ModelSpec(source=f"embedded:{name}") for name in ("teacher", "proxy", "student", "student-bpe")),
    *(ModelSpec(source="embedded:student-bpe", chat_template=name) for name in TEMPLATES),
]


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: f"{spec.source} {spec.chat_template or 'own'}")
def test_only_the_completion_is_trained_on(spec: ModelSpec) -> None:
    """Also with a conversation before it: nothing of any prompt is in the target."""
    tokenizer = load_tokenizer(spec)
    for messages in (CONVERSATION, [*CONVERSATION, {"role": "user", "content": "3 ant"}, CONVERSATION[1]]):
        example = training_example(tokenizer, messages, ended=True)
        assert tokenizer.decode(example.target[:-1]) == COMPLETION
        assert example.target[-1] == tokenizer.eos_token_id
        assert list(example.prompt) == prompt_ids(tokenizer, messages[:-1])
        assert QUESTION in tokenizer.decode(example.prompt)


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: f"{spec.source} {spec.chat_template or 'own'}")
def test_a_prompt_ends_where_the_assistant_begins(spec: ModelSpec) -> None:
    tokenizer = load_tokenizer(spec)
    whole = tokenizer.apply_chat_template(CONVERSATION, tokenize=False)
    prompt = tokenizer.apply_chat_template(CONVERSATION[:1], tokenize=False, add_generation_prompt=True)
    assert whole.startswith(prompt + COMPLETION)


def test_an_unfinished_completion_has_no_end_token() -> None:
    tokenizer = load_tokenizer("embedded:student")
    target = training_example(tokenizer, CONVERSATION, ended=False).target
    assert tokenizer.eos_token_id not in target


def test_a_template_that_refuses_becomes_one_line() -> None:
    tokenizer = load_tokenizer("embedded:student")
    tokenizer.chat_template = "{{ raise_exception('no system role here') }}"
    with pytest.raises(DistillgameError, match="the chat template refuses the prompt: no system role here"):
        prompt_ids(tokenizer, CONVERSATION[:1])


def test_an_empty_prompt_is_refused() -> None:
    tokenizer = load_tokenizer("embedded:student")
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    with pytest.raises(DistillgameError, match="the prompt is empty"):
        prompt_ids(tokenizer, [{"role": "user", "content": ""}])


BEGUN = "{{ messages[0]['content'] }} <|assistant|>"


@pytest.mark.parametrize(
    "prefill", ["<think>\\n", "<think>", "[THINK]", "<think>\\n\\n</think>\\n\\n", "<|channel|>analysis "]
)
@pytest.mark.parametrize("space", ["", "\n", "  "])
def test_a_tag_that_the_template_begins_with_is_not_trained_twice(prefill: str, space: str) -> None:
    tokenizer = load_tokenizer("embedded:student-bpe")
    tokenizer.chat_template = BEGUN + "{{ '" + prefill + "' }}"
    written = prefill.encode().decode("unicode_escape")
    plain, tagged = (
        training_example(tokenizer, [CONVERSATION[0], {"role": "assistant", "content": content}], ended=True)
        for content in (COMPLETION, space + written + COMPLETION)
    )
    assert plain == tagged
    assert tokenizer.decode(plain.prompt).endswith(written)


@pytest.mark.parametrize("template", ["", "{{ '<think>' }}"])
@pytest.mark.parametrize("content", ["<answer>5</answer>", "a <think> b", "< think>", "<thinking>5"])
def test_other_tags_are_trained_as_they_are(template: str, content: str) -> None:
    tokenizer = load_tokenizer("embedded:student-bpe")
    tokenizer.chat_template = BEGUN + template
    example = training_example(tokenizer, [CONVERSATION[0], {"role": "assistant", "content": content}], ended=False)
    assert tokenizer.decode(example.target) == content


def test_a_template_is_told_what_it_asks_for() -> None:
    tokenizer = load_tokenizer("embedded:student-bpe")
    tokenizer.chat_template = "{{ messages[0]['content'] }}{% if enable_thinking %} think{% endif %}"
    plain, told = (prompt_ids(tokenizer, CONVERSATION[:1], told) for told in ({}, {"enable_thinking": True}))
    assert (tokenizer.decode(plain), tokenizer.decode(told)) == (QUESTION, QUESTION + " think")


def test_a_template_that_writes_todays_date_writes_the_same_after_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.utils import chat_template_utils

    tokenizer = load_tokenizer("embedded:student-bpe")
    tokenizer.chat_template = (
        "{%- macro head() %}{{ strftime_now('%d %b %Y') }}{% endmacro -%}"
        "{{ head() }}{{ strftime_now('%H:%M') }}{{ messages[0]['content'] }}"
    )

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Tomorrow":
            return cls(2091, 12, 31, 23, 59, tzinfo=tz)

    before = prompt_ids(tokenizer, CONVERSATION[:1])
    monkeypatch.setattr(chat_template_utils, "datetime", Tomorrow)
    assert prompt_ids(tokenizer, CONVERSATION[:1]) == before
    assert before == tokenizer.encode("26 Jul 202400:00" + QUESTION)


def test_a_date_in_a_computed_format_is_refused_and_an_unused_one_is_not() -> None:
    tokenizer = load_tokenizer("embedded:student-bpe")
    tokenizer.chat_template = "{{ strftime_now(messages[0]['content']) }}"
    with pytest.raises(DistillgameError, match="writes today's date in a format that it computes"):
        prompt_ids(tokenizer, CONVERSATION[:1])
    tokenizer.chat_template = (
        "{% if strftime_now is defined %}{% set day = strftime_now(\"%d %b %Y\") %}{% else %}{% set day = 'x' %}"
        "{% endif %}{{ day }}"
    )
    assert tokenizer.decode(prompt_ids(tokenizer, CONVERSATION[:1])) == "26 Jul 2024"
