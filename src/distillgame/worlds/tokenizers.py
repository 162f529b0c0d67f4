"""The embedded tokenizers: one token per word and digit, and byte pairs for a student of another family."""

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from distillgame.worlds.notation import CONNECTIVES, SIGNS

SPECIAL = ["<pad>", "<eos>", "<user>", "<assistant>", "<unk>"]

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}{{- '<assistant>' + message['content'] + '<eos>' -}}"
    "{%- else -%}{{- '<user>' + message['content'] -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<assistant>' -}}{%- endif -%}"
)


def word_tokenizer(names: Iterable[str]) -> Any:
    """Return a tokenizer with one token per word and digit; tokens include the space before, so decoding is exact."""
    words = [*map(str, range(10)), *names, *CONNECTIVES, *SIGNS]
    vocabulary = [*SPECIAL, *words, *(f" {word}" for word in words)]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?\d| ?[^\s\d]+|\s"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return _wrap(tokenizer)


def byte_pair_tokenizer(texts: Iterable[str], size: int = 400) -> Any:
    """Return a byte-level BPE of ``size`` tokens trained on ``texts``: names are split, digits are single tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _wrap(tokenizer)


def _wrap(tokenizer: Tokenizer) -> Any:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=["<user>", "<assistant>"],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
