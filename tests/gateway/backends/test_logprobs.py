"""Log-probabilities in OpenAI's old form, for a tokenizer that strips the space before a token that stands alone."""

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from distillgame.decoding import Sample
from distillgame.gateway.api import ResponseBuilder
from distillgame.gateway.backends import Piece
from distillgame.gateway.backends.logprobs import shown_logprobs
from distillgame.gateway.ledger import NOTHING
from distillgame.models import LanguageModel

PIECES = ["<unk>", "▁4", "4", "▁dogs", "▁have", "<0xF0>", "<0x9F>", "<0xA6>", "<0x8E>", "<0x34>", "</s>"]
SPACED, BARE, DOGS, HAVE, FACE, BYTE, END = 1, 2, 3, 4, [5, 6, 7, 8], 9, 10


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    backend = Tokenizer(models.BPE({piece: i for i, piece in enumerate(PIECES)}, [], unk_token="<unk>"))
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")
    assert tokenizer.decode([SPACED]) == tokenizer.decode([BARE]) == "4"
    return LanguageModel(None, tokenizer, "made")


def legacy(model: LanguageModel, ids: list[int], top: list[list[int]]) -> tuple[str, dict[str, Any]]:
    """The text of a completion and its log-probabilities; token i has the log-probability -i."""
    logprobs = [[-float(token) for token in row] for row in top]
    sample = Sample("r", token_ids=ids, logprob_released=[-float(i) for i in ids], top_ids=top, top_logprobs=logprobs)
    builder = ResponseBuilder("r", "m", 1, chat=False, logprobs=True, measured=False)
    builder.add(0, Piece(model.decode(ids), logprobs=shown_logprobs(model, sample, 0, len(ids)), finish="stop"))
    choice = builder.whole(1, NOTHING)["choices"][0]
    return choice["text"], choice["logprobs"]


def test_every_token_has_its_own_key_and_its_place_in_the_text(model: LanguageModel) -> None:
    ids = [SPACED, DOGS, HAVE, SPACED, BARE]
    text, shown = legacy(model, ids, [[BARE, SPACED, BYTE]] * len(ids))
    assert text == "4 dogs have 44"
    assert "".join(shown["tokens"]) == text
    for i, (token, offset) in enumerate(zip(shown["tokens"], shown["text_offset"], strict=True)):
        assert text[offset : offset + len(token)] == token
        assert len(shown["top_logprobs"][i]) == 3
        if ids[i] in (SPACED, BARE):
            assert shown["top_logprobs"][i][token] == -ids[i] == shown["token_logprobs"][i]
    # At the start of a text both lose the space; later they differ, and only the byte needs another name.
    assert set(shown["top_logprobs"][0]) == {"4", "token_id:2", "token_id:9"}
    assert shown["top_logprobs"][3] == {" 4": -1.0, "4": -2.0, "token_id:9": -9.0}


def test_a_likely_token_does_not_take_the_name_of_the_released_one(model: LanguageModel) -> None:
    _, shown = legacy(model, [DOGS, BYTE], [[HAVE], [BARE]])
    assert (shown["tokens"][1], shown["top_logprobs"][1]) == ("4", {"token_id:2": -2.0})


def test_parts_of_a_character_do_not_move_what_follows(model: LanguageModel) -> None:
    text, shown = legacy(model, [DOGS, *FACE, HAVE, END], [])
    assert text == "dogs🦎 have"
    assert shown["text_offset"] == [0, 4, 4, 4, 4, 5, 10]
    assert (shown["tokens"][5], shown["tokens"][6]) == (" have", "</s>")


def test_pieces_of_a_stream_have_the_offsets_of_the_whole(model: LanguageModel) -> None:
    ids = [SPACED, DOGS, HAVE, SPACED]
    sample = Sample("r", token_ids=ids, logprob_released=[0.0] * 4)
    whole, parts = (
        [token for start, end in cuts for token in shown_logprobs(model, sample, start, end)]
        for cuts in ([(0, 4)], [(0, 2), (2, 3), (3, 4)])
    )
    assert whole == parts
