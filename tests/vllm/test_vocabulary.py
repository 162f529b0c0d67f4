"""In vLLM all models read the same positions: where a token of the teacher's is not one of a proxy's, a stand-in."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, align, load_without_weights
from distillgame.vllm.vocabulary import require_drafting, shared_tokens

from .pairs import BEGIN, END, PROXY_TOKENIZER, STAND_INS, teacher_tokenizer

TEACHER = load_without_weights("embedded:bestiary-teacher")


def bare(tokenizer: Any, padded: int = 0) -> LanguageModel:
    """A model of which nothing but its tokens is known."""
    network = torch.nn.Module()
    rows = len(tokenizer) + padded
    network.get_output_embeddings = lambda: torch.nn.Embedding(rows, 2)  # type: ignore[assignment]
    return LanguageModel(network, tokenizer, "bare")


OURS = bare(teacher_tokenizer(), padded=3)
PROXY = load_without_weights(PROXY_TOKENIZER)


def test_equal_vocabularies_need_no_tables() -> None:
    proxies = {"proxy": load_without_weights("embedded:bestiary-proxy")}
    shared = shared_tokens(TEACHER, proxies)
    assert shared.tokens is None
    assert shared.columns == shared.inputs == {"proxy": None}
    assert shared.notices(TEACHER, proxies) == []


def test_a_padded_vocabulary_is_shared_up_to_the_padding() -> None:
    proxies = {"proxy": bare(load_without_weights("embedded:bestiary-proxy").tokenizer, padded=7)}
    shared = shared_tokens(TEACHER, proxies)
    assert shared.tokens is not None
    assert shared.tokens.tolist() == list(range(TEACHER.logit_count))
    columns, inputs = shared.columns["proxy"], shared.inputs["proxy"]
    assert columns is not None
    assert inputs is not None
    assert columns.tolist() == inputs.tolist() == shared.tokens.tolist()
    assert shared.notices(TEACHER, proxies) == []


def test_every_id_of_the_teachers_is_read_as_one_of_the_proxys() -> None:
    """By hand where it has a stand-in, by its text where it does not, and as the end of a text where it has none."""
    shared = shared_tokens(OURS, {"proxy": PROXY})
    ours, theirs = OURS.tokenizer.get_vocab(), PROXY.tokenizer.get_vocab()
    expected = [theirs["<eos>"]] * OURS.logit_count
    for text, token in ours.items():
        expected[token] = theirs[{END: "<eos>", **STAND_INS}.get(text, text)]
    inputs, columns = shared.inputs["proxy"], shared.columns["proxy"]
    assert inputs is not None
    assert columns is not None
    assert shared.tokens is not None
    assert inputs.tolist() == expected
    assert shared.stand_ins["proxy"] == {ours[text]: theirs[read] for text, read in STAND_INS.items()}
    assert shared.tokens.tolist() == sorted(set(ours.values()) - {ours[text] for text in STAND_INS})
    assert columns.tolist() == inputs[shared.tokens].tolist()


def test_a_stand_in_is_the_end_of_what_our_own_engine_has_its_proxy_read() -> None:
    """For every token that is one or several of the proxy's; the end of a text is shared by its role."""
    alignment, inputs = align(OURS, PROXY), shared_tokens(OURS, {"proxy": PROXY}).inputs["proxy"]
    assert inputs is not None
    several = 0
    for token in OURS.tokenizer.get_vocab().values():
        if spelled := alignment.to_proxy(token):
            assert inputs[token] == spelled[-1]
            several += len(spelled) > 1
    assert several == len(STAND_INS) - 2
    assert inputs[OURS.tokenizer.eos_token_id] == PROXY.tokenizer.eos_token_id


def test_what_nothing_spells_is_read_as_the_beginning_of_a_text_where_there_is_one() -> None:
    beginning = copy.deepcopy(PROXY.tokenizer)
    beginning.bos_token = "<user>"
    inputs = shared_tokens(OURS, {"proxy": bare(beginning)}).inputs["proxy"]
    assert inputs is not None
    unused = OURS.logit_count - 1
    found = {int(inputs[token]) for token in (*OURS.tokenizer.convert_tokens_to_ids([BEGIN, "<eos>"]), unused)}
    assert found == {beginning.convert_tokens_to_ids("<user>")}


def test_two_proxies_share_what_both_have_and_each_has_stand_ins_of_its_own() -> None:
    knowing = copy.deepcopy(PROXY.tokenizer)
    knowing.add_tokens(["<think>"])
    proxies = {"proxy": PROXY, "knowing": bare(knowing)}
    shared, alone = shared_tokens(OURS, proxies), shared_tokens(OURS, {"proxy": PROXY})
    think = OURS.tokenizer.convert_tokens_to_ids("<think>")
    assert shared.tokens is not None
    assert alone.tokens is not None
    assert shared.tokens.tolist() == alone.tokens.tolist()
    assert think not in shared.tokens.tolist()
    inputs = shared.inputs["knowing"]
    assert inputs is not None
    assert inputs[think] == knowing.convert_tokens_to_ids("<think>")
    assert set(shared.stand_ins["proxy"]) - set(shared.stand_ins["knowing"]) == {think}


def test_a_provider_is_told_what_is_stood_in_for() -> None:
    proxies = {"proxy": PROXY}
    (line,) = shared_tokens(OURS, proxies).notices(OURS, proxies)
    size = len(OURS.tokenizer)
    assert line.startswith(f"proxy 'proxy' reads stand-ins for {len(STAND_INS)} of the teacher's {size} tokens, which")
    assert "'<think>' as '>'" in line
    assert f"'{BEGIN}' as '<eos>'" in line
    assert "and 2 more (docs/vllm.md" in line


def test_pairs_that_share_less_than_half_are_refused() -> None:
    with pytest.raises(DistillgameError, match=r"shares only 50 of 400 tokens \(12%\)"):
        shared_tokens(TEACHER, {"bpe": PROXY})


def test_proxies_that_share_too_little_with_each_other_are_refused() -> None:
    """Each knows more than half of the teacher's words, and they have eleven tokens of 61 in common."""

    def words(first: int, end: int) -> LanguageModel:
        known = ["<eos>", *(f"w{word}" for word in range(first, end))]
        inner = Tokenizer(models.WordLevel({text: i for i, text in enumerate(known)}, unk_token="<eos>"))
        return bare(PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>"))

    teacher, proxies = words(0, 60), {"low": words(0, 35), "high": words(25, 60)}
    for name, proxy in proxies.items():
        tokens = shared_tokens(teacher, {name: proxy}).tokens
        assert tokens is not None
        assert len(tokens) == 36
    with pytest.raises(DistillgameError, match="share only 11 tokens with teacher 'bare' and with each other"):
        shared_tokens(teacher, proxies)


def test_a_draft_model_with_other_tokens_is_refused(tmp_path: Path) -> None:
    """It reads the teacher's ids: no stand-in helps it."""
    speculative = {"method": "draft_model", "model": str(tmp_path), "num_speculative_tokens": 2}
    PROXY.tokenizer.save_pretrained(tmp_path)
    PROXY.model.config.save_pretrained(tmp_path)
    require_drafting(PROXY, {"speculative_config": speculative})
    require_drafting(OURS, {"speculative_config": {"method": "ngram", "num_speculative_tokens": 2}})
    require_drafting(OURS, {})
    require_drafting(OURS, {"speculative_config": {"model": "ngram", "num_speculative_tokens": 2}})
    # Without a method, vLLM takes a model for a draft model.
    for given in (speculative, {"model": str(tmp_path), "num_speculative_tokens": 2}):
        with pytest.raises(DistillgameError, match="has other tokens than the teacher and cannot draft") as error:
            require_drafting(OURS, {"speculative_config": given})
    assert "\n" not in str(error.value)
