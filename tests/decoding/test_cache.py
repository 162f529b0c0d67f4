import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.decoding.cache import RaggedContext
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel

blocks = st.lists(st.lists(st.integers(5, 100), max_size=4), min_size=3, max_size=3)


def plain_logits(model: LanguageModel, tokens: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model.model(torch.tensor([tokens])).logits[0, -1]
    return logits


@given(
    st.lists(st.lists(st.integers(5, 100), min_size=1, max_size=6), min_size=3, max_size=3),
    st.lists(blocks, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_ragged_rows_see_exactly_their_own_tokens(
    teacher: LanguageModel, prompts: list[list[int]], later: list[list[list[int]]]
) -> None:
    context = RaggedContext(teacher.model, 3)
    logits = context.feed(prompts)
    rows = [list(prompt) for prompt in prompts]
    for block in later:
        logits = context.feed(block)
        rows = [row + new for row, new in zip(rows, block, strict=True)]
    for row, got in zip(rows, logits, strict=True):
        assert torch.allclose(got, plain_logits(teacher, row), atol=2e-4)


def test_selected_rows_go_on_as_if_they_were_alone(teacher: LanguageModel) -> None:
    context = RaggedContext(teacher.model, 3)
    context.feed([[5, 6, 7], [8], [9, 10]])
    context.select(torch.tensor([2, 0]))
    logits = context.feed([[11], [12, 13]])
    assert torch.allclose(logits[0], plain_logits(teacher, [9, 10, 11]), atol=2e-4)
    assert torch.allclose(logits[1], plain_logits(teacher, [5, 6, 7, 12, 13]), atol=2e-4)


def test_a_row_longer_than_the_context_is_refused(teacher: LanguageModel) -> None:
    context = RaggedContext(teacher.model, 1)
    with pytest.raises(DistillgameError, match="a sequence of 2049 tokens does not fit the model's context of 2048"):
        context.feed([[5] * 2049])
