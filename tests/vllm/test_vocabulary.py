"""In vLLM all models read the same positions: where a token of the teacher's is not one of a proxy's, a stand-in."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, models
from transformers import PreTrainedTokenizerFast

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, align, load_without_weights
from distillgame.vllm.vocabulary import Shared, require_drafting, shared_tokens

from .pairs import BEGIN, END, PROXY_TOKENIZER, STAND_INS, UNSHARED, teacher_tokenizer

TEACHER = load_without_weights("embedded:bestiary-teacher")


def bare(tokenizer: Any, padded: int = 0) -> LanguageModel:
    """A model of which nothing but its tokens is known."""
    network = torch.nn.Module()
    rows = len(tokenizer) + padded
    network.get_output_embeddings = lambda: torch.nn.Embedding(rows, 2)  # type: ignore[assignment]
    return LanguageModel(network, tokenizer, "bare")


def common(shared: Shared, *names: str) -> tuple[list[int], dict[str, list[int]]]:
    """What is shared where not all is."""
    tokens, columns = shared.common(names)
    assert tokens is not None
    return tokens.tolist(), {name: table.tolist() for name, table in columns.items() if table is not None}


OURS = bare(teacher_tokenizer(), padded=3)
PROXY = load_without_weights(PROXY_TOKENIZER)


def test_equal_vocabularies_need_no_tables() -> None:
    proxies = {"proxy": load_without_weights("embedded:bestiary-proxy")}
    shared = shared_tokens(TEACHER, proxies)
    assert shared.common(["proxy"]) == (None, {"proxy": None})
    assert shared.inputs == {"proxy": None}
    assert shared.notices(TEACHER, proxies) == []


def test_a_padded_vocabulary_is_shared_up_to_the_padding() -> None:
    proxies = {"proxy": bare(load_without_weights("embedded:bestiary-proxy").tokenizer, padded=7)}
    shared = shared_tokens(TEACHER, proxies)
    tokens, columns = common(shared, "proxy")
    assert tokens == list(range(TEACHER.logit_count))
    inputs = shared.inputs["proxy"]
    assert inputs is not None
    assert columns["proxy"] == inputs.tolist() == tokens
    assert shared.notices(TEACHER, proxies) == []


def test_every_id_of_the_teachers_is_read_as_one_of_the_proxys() -> None:
    """By hand where it has a stand-in, by its text where it does not, and as the end of a text where it has none."""
    shared = shared_tokens(OURS, {"proxy": PROXY})
    ours, theirs = OURS.tokenizer.get_vocab(), PROXY.tokenizer.get_vocab()
    expected = [theirs["<eos>"]] * OURS.logit_count
    for text, token in ours.items():
        expected[token] = theirs[{END: "<eos>", **STAND_INS}.get(text, text)]
    inputs = shared.inputs["proxy"]
    tokens, columns = common(shared, "proxy")
    assert inputs is not None
    assert inputs.tolist() == expected
    assert shared.stand_ins["proxy"] == {ours[text]: theirs[read] for text, read in STAND_INS.items()}
    assert tokens == sorted(set(ours.values()) - {ours[text] for text in UNSHARED})
    assert columns["proxy"] == inputs[tokens].tolist()


def test_a_stand_in_is_the_end_of_what_our_own_engine_has_its_proxy_read() -> None:
    """For every token that is one or several of the proxy's; the end of a text is shared by its role."""
    alignment, inputs = align(OURS, PROXY), shared_tokens(OURS, {"proxy": PROXY}).inputs["proxy"]
    assert inputs is not None
    several = 0
    for token in OURS.tokenizer.get_vocab().values():
        if spelled := alignment.to_proxy(token):
            assert inputs[token] == spelled[-1]
            several += len(spelled) > 1
    assert several == len(STAND_INS) - 1
    assert inputs[OURS.tokenizer.eos_token_id] == PROXY.tokenizer.eos_token_id


def test_what_nothing_spells_is_read_as_the_beginning_of_a_text_where_there_is_one() -> None:
    beginning = copy.deepcopy(PROXY.tokenizer)
    beginning.bos_token = "<user>"
    inputs = shared_tokens(OURS, {"proxy": bare(beginning)}).inputs["proxy"]
    assert inputs is not None
    unused = OURS.logit_count - 1
    found = {int(inputs[token]) for token in (OURS.tokenizer.convert_tokens_to_ids(BEGIN), unused)}
    assert found == {beginning.convert_tokens_to_ids("<user>")}


def test_the_end_of_a_turn_is_read_as_what_it_is_called_and_mixed_by_its_role() -> None:
    """A chat model and its base model have one tokenizer, and end texts with different tokens of it."""
    base = copy.deepcopy(PROXY.tokenizer)
    base.add_special_tokens({"bos_token": AddedToken(BEGIN, special=True)})
    base.add_tokens([AddedToken("<turn>", special=True)])
    chat = copy.deepcopy(base)
    chat.eos_token = "<turn>"
    teacher, proxies = bare(chat), {"base": bare(base)}
    shared = shared_tokens(teacher, proxies)
    tokens, columns = common(shared, "base")
    inputs = shared.inputs["base"]
    assert inputs is not None
    assert inputs.tolist() == list(range(len(chat)))
    ends = base.convert_tokens_to_ids("<eos>")
    by_role = dict(zip(tokens, columns["base"], strict=True))
    assert by_role == {token: token for token in range(len(chat)) if token != ends} | {chat.eos_token_id: ends}
    assert shared.notices(teacher, proxies) == []


@pytest.mark.parametrize("special", [True, False])
def test_a_marker_is_read_as_itself_whether_it_is_special_or_not(special: bool) -> None:
    ours, theirs = copy.deepcopy(PROXY.tokenizer), copy.deepcopy(PROXY.tokenizer)
    ours.add_tokens([AddedToken("<think>", special=special)])
    theirs.add_tokens([AddedToken("<tool>", special=True), AddedToken("<think>", special=not special)])
    shared = shared_tokens(bare(ours), {"proxy": bare(theirs)})
    inputs = shared.inputs["proxy"]
    assert inputs is not None
    assert inputs[ours.convert_tokens_to_ids("<think>")] == theirs.convert_tokens_to_ids("<think>")
    assert shared.stand_ins == {"proxy": {}}


def test_a_teachers_token_without_a_logit_is_read_as_nothing() -> None:
    """Its tokenizer knows two tokens more than its network."""
    whole = shared_tokens(OURS, {"proxy": PROXY})
    shared = shared_tokens(bare(OURS.tokenizer, padded=-2), {"proxy": PROXY})
    left = len(OURS.tokenizer) - 2
    inputs, before = shared.inputs["proxy"], whole.inputs["proxy"]
    assert inputs is not None
    assert before is not None
    assert inputs.tolist() == before[:left].tolist()
    kept = {token: read for token, read in whole.stand_ins["proxy"].items() if token < left}
    assert shared.stand_ins["proxy"] == kept
    assert len(kept) == len(STAND_INS) - 2


@pytest.mark.parametrize("special", [True, False])
def test_a_marker_for_which_the_proxys_network_has_no_logit_is_not_read_as_itself(special: bool) -> None:
    ours, theirs = copy.deepcopy(PROXY.tokenizer), copy.deepcopy(PROXY.tokenizer)
    ours.add_tokens([AddedToken("<think>", special=special)])
    theirs.add_tokens([AddedToken("<think>", special=special)])
    shared = shared_tokens(bare(ours), {"proxy": bare(theirs, padded=-1)})
    think, inputs = ours.convert_tokens_to_ids("<think>"), shared.inputs["proxy"]
    assert inputs is not None
    assert inputs.tolist() == [*range(think), theirs.eos_token_id]
    assert shared.stand_ins == {"proxy": {think: theirs.eos_token_id}}


def test_a_word_that_the_proxys_tokenizer_does_not_know_is_a_stand_in() -> None:
    def words(*more: str) -> LanguageModel:
        inner = Tokenizer(models.WordLevel({text: i for i, text in enumerate(("<unk>", "<eos>", *more))}, "<unk>"))
        return bare(PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", unk_token="<unk>"))

    teacher, proxies = words("a", "b", "new"), {"proxy": words("a", "b")}
    shared = shared_tokens(teacher, proxies)
    assert shared.stand_ins == {"proxy": {4: 0}}
    (line,) = shared.notices(teacher, proxies)
    assert "'new' as '<unk>'" in line


def test_two_proxies_share_what_both_have_and_each_has_stand_ins_of_its_own() -> None:
    knowing = copy.deepcopy(PROXY.tokenizer)
    knowing.add_tokens(["<think>"])
    proxies = {"proxy": PROXY, "knowing": bare(knowing)}
    shared, alone = shared_tokens(OURS, proxies), shared_tokens(OURS, {"proxy": PROXY})
    think = OURS.tokenizer.convert_tokens_to_ids("<think>")
    tokens, columns = common(shared, "proxy", "knowing")
    assert tokens == common(alone, "proxy")[0] == common(shared, "proxy")[0]
    assert columns["proxy"] == columns["knowing"]
    assert think not in tokens
    assert common(shared, "knowing")[0] == sorted([*tokens, think])
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
    assert "and 1 more (docs/vllm.md" in line


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
        assert len(common(shared_tokens(teacher, {name: proxy}), name)[0]) == 36
    with pytest.raises(DistillgameError, match="share only 11 tokens with teacher 'bare' and with each other"):
        shared_tokens(teacher, proxies)


@pytest.fixture
def draft(tmp_path: Path) -> str:
    PROXY.tokenizer.save_pretrained(tmp_path)
    PROXY.model.config.save_pretrained(tmp_path)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("speculative", "beside"),
    [
        ({"method": "draft_model", "model": "DRAFT"}, {}),
        ({"method": "draft_model", "model": "DRAFT/"}, {}),
        # Without a method, vLLM takes a model for a draft model.
        ({"model": "DRAFT"}, {}),
        ({"method": "draft_model"}, {"spec_model": "DRAFT"}),
        (None, {"spec_model": "DRAFT"}),
        (None, {"spec_model": "DRAFT", "spec_method": "draft_model"}),
    ],
)
def test_a_draft_model_with_other_tokens_is_refused(
    draft: str, speculative: dict[str, Any] | None, beside: dict[str, Any]
) -> None:
    """It reads the teacher's ids: no stand-in helps it. vLLM takes its name in several ways."""
    told = {"speculative_config": speculative, **beside}
    arguments = json.loads(json.dumps(told).replace("DRAFT", draft))
    require_drafting(PROXY, arguments)
    with pytest.raises(DistillgameError, match="has other tokens than the teacher and cannot draft") as error:
        require_drafting(OURS, arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"speculative_config": None},
        {"speculative_config": {"method": "ngram", "num_speculative_tokens": 2}},
        {"speculative_config": {"model": "ngram", "num_speculative_tokens": 2}},
        {"speculative_config": {"method": "draft_model"}},
        {"spec_method": "ngram", "spec_tokens": 2},
    ],
)
def test_what_needs_no_draft_model_is_let_through(arguments: dict[str, Any]) -> None:
    """Also what vLLM itself refuses, for lack of a model."""
    require_drafting(OURS, arguments)


def test_a_draft_model_may_end_texts_with_another_token(draft: str) -> None:
    """Ids count: what it proposes at an end is rejected, as any other token is."""
    chat = copy.deepcopy(PROXY.tokenizer)
    chat.eos_token = "<user>"
    require_drafting(bare(chat), {"spec_model": draft})


@pytest.mark.parametrize("given", ['{"method": "draft_model", "model": "x"}', [], 3])
def test_speculation_has_to_be_a_mapping(given: Any) -> None:
    with pytest.raises(DistillgameError, match=r"^vllm\.arguments\.speculative_config: a mapping \(found "):
        require_drafting(OURS, {"speculative_config": given})


@pytest.mark.parametrize(
    ("given", "plain"), [(PROXY_TOKENIZER, "bestiary-student-bpe'"), ("some/model@main", "'some/model'")]
)
def test_a_draft_model_that_vllm_would_not_find_is_refused_with_its_name_there(given: str, plain: str) -> None:
    """It has the teacher's tokens; vLLM does not know how we name models."""
    with pytest.raises(DistillgameError, match=f"by its folder or its plain hub name, here .*{plain}"):
        require_drafting(PROXY, {"speculative_config": {"model": given, "num_speculative_tokens": 2}})
