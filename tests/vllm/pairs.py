"""Small random pairs whose teacher has tokens that its proxies spell with several of their own, or not at all."""

import copy
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken

from distillgame.models import embedded_config, load_tokenizer

PROXY_TOKENIZER = "embedded:bestiary-student-bpe"

BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"

STAND_INS = {
    BEGIN: "<eos>", "<think>": ">", "</think>": ">", "<｜User｜>": ">", "<｜Assistant｜>": ">",
    " filek": "ek", " dakar": "ar",
}  # fmt: skip
"""The teacher's tokens with what the proxy reads there, by hand: it has no token that begins texts.

Those of DeepSeek-R1-Distill-Qwen-7B that Qwen2.5-3B lacks, by their published tokenizers, and two words beside."""

UNSHARED = {*STAND_INS, "<eos>"}
"""The teacher's tokens that the proxy does not share: it reads `<eos>` as its own, which has another role."""


def teacher_tokenizer() -> Any:
    """The proxy's tokenizer with more tokens, of which one ends texts in place of `<eos>`."""
    tokenizer = copy.deepcopy(load_tokenizer(PROXY_TOKENIZER))
    tokenizer.add_special_tokens({"bos_token": AddedToken(BEGIN, special=True)})
    tokenizer.add_special_tokens({"eos_token": AddedToken(END, special=True)})
    plain = [token for token in STAND_INS if token != BEGIN]
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    return tokenizer


def save_random(folder: Path, tokenizer: Any, seed: int, padded: int, louder: tuple[str, ...] = ()) -> Path:
    """Write a random Llama, whose logits of some tokens vary more than others, and its tokenizer."""
    from transformers import LlamaForCausalLM

    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    config = embedded_config(128, 2, len(tokenizer) + padded, tie_word_embeddings=False, **ends)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
        rows = [tokenizer.convert_tokens_to_ids(token) for token in louder]
        model.lm_head.weight[rows] *= 1.5
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
