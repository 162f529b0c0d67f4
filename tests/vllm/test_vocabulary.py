"""In vLLM all models read the same positions: token for token, or not at all."""

import copy

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.models import load_without_weights
from distillgame.vllm.vocabulary import shared_tokens

TEACHER = load_without_weights("embedded:bestiary-teacher")


def test_equal_vocabularies_need_no_tables() -> None:
    shared = shared_tokens(TEACHER, {"proxy": load_without_weights("embedded:bestiary-proxy")})
    assert shared.tokens is None
    assert shared.columns == shared.inputs == {"proxy": None}


def test_a_padded_vocabulary_is_shared_up_to_the_padding() -> None:
    padded = copy.copy(load_without_weights("embedded:bestiary-proxy"))
    object.__setattr__(padded, "model", torch.nn.Module())
    padded.model.get_output_embeddings = lambda: torch.nn.Embedding(TEACHER.logit_count + 7, 2)
    shared = shared_tokens(TEACHER, {"proxy": padded})
    assert shared.tokens is not None
    assert shared.tokens.tolist() == list(range(TEACHER.logit_count))
    columns, inputs = shared.columns["proxy"], shared.inputs["proxy"]
    assert columns is not None
    assert inputs is not None
    assert columns.tolist() == inputs.tolist() == shared.tokens.tolist()


def test_a_token_that_a_proxy_spells_with_several_is_refused() -> None:
    with pytest.raises(DistillgameError, match=r"tokens for the teacher's|shares only"):
        shared_tokens(TEACHER, {"bpe": load_without_weights("embedded:bestiary-student-bpe")})
