import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from distillgame.decoding import Engine, Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, align, embedded_config
from distillgame.models.alignment import token_keys
from distillgame.policies import make_policy


def word_model(
    words: list[str], eos: str, special: list[str] | None = None, padded: int = 0, seed: int = 0
) -> LanguageModel:
    """A random model over a word vocabulary, with ``padded`` logits that no token uses."""
    from transformers import LlamaForCausalLM

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=words[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=eos, pad_token=eos, additional_special_tokens=special or []
    )
    wrapped.chat_template = "{% for m in messages %}{{ m['content'] + ' ' }}{% endfor %}"
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        embedded_config(16, 1, len(wrapped) + padded, eos_token_id=wrapped.eos_token_id, bos_token_id=None)
    )
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(30)
    return LanguageModel(model.eval(), wrapped, "words")


TEACHER = ["a", "b", "c", "d", "only-teacher", "<end>"]
PROXY = ["<stop>", "d", "c", "b", "a", "only-proxy"]


def test_tokens_are_matched_by_text_and_the_end_by_role() -> None:
    alignment = align(word_model(TEACHER, "<end>"), word_model(PROXY, "<stop>"))
    pairs = dict(zip(alignment.teacher_ids.tolist(), alignment.proxy_ids.tolist(), strict=True))
    assert pairs == {0: 4, 1: 3, 2: 2, 3: 1, 5: 0}
    assert not alignment.identical


def test_one_id_for_different_special_tokens_is_not_one_token() -> None:
    teacher = word_model(["a", "b", "c", "<think>", "<end>"], "<end>", ["<think>"])
    proxy = word_model(["a", "b", "c", "<tool>", "<end>"], "<end>", ["<tool>"])
    assert align(teacher, proxy).teacher_ids.tolist() == [0, 1, 2, 4]


def test_padded_logits_are_outside_the_shared_set() -> None:
    alignment = align(word_model(TEACHER, "<end>", padded=3), word_model(TEACHER, "<end>", padded=10))
    assert alignment.teacher_ids.tolist() == list(range(6))
    assert not alignment.identical


def test_equal_vocabularies_need_no_gathering() -> None:
    assert align(word_model(TEACHER, "<end>"), word_model(TEACHER, "<end>", seed=1)).identical


def test_tokens_the_proxy_lacks_are_spelled_in_its_own() -> None:
    teacher = word_model(TEACHER, "<end>")
    proxy = word_model([*PROXY, "only-teacher-too"], "<stop>")
    alignment = align(teacher, proxy)
    assert alignment.to_proxy(0) == (4,)
    assert alignment.to_proxy(4) == tuple(proxy.tokenizer.encode("only-teacher", add_special_tokens=False))


def test_a_second_id_of_one_meaning_is_read_as_the_proxys_token_of_that_meaning() -> None:
    """Tokenizers with a token for every byte have `A` twice; only the lower id is shared."""

    def bytes_too(padded: int) -> LanguageModel:
        table = {"<unk>": 0, "</s>": 1, "<0x41>": 2, "<0xC3>": 3, "▁": 4, "A": 5}
        tokenizer = Tokenizer(models.BPE(table, [], byte_fallback=True, unk_token="<unk>"))
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        network = torch.nn.Module()
        network.get_output_embeddings = lambda: torch.nn.Embedding(6 + padded, 2)  # type: ignore[assignment]
        wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")
        return LanguageModel(network, wrapped, "bytes")

    alignment = align(bytes_too(0), bytes_too(3))
    assert alignment.teacher_ids.tolist() == [0, 1, 2, 3, 4]
    assert [alignment.to_proxy(token) for token in (2, 3, 5)] == [(2,), (3,), (2,)]


def test_a_pair_that_shares_too_little_is_refused_with_its_share() -> None:
    strangers = word_model(["<stop>", "x", "y", "z", "a"], "<stop>")
    with pytest.raises(DistillgameError, match=r"proxy 'words' shares only 2 of 5 tokens \(40%\) with teacher 'words'"):
        align(word_model(TEACHER, "<end>"), strangers)


def test_byte_level_and_metaspace_tokens_are_compared_as_text() -> None:
    byte_level = Tokenizer(models.BPE({"Ġdog": 0, "é": 1, "Ã©": 2, "<end>": 3}, []))
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_level.decoder = decoders.ByteLevel()
    metaspace = Tokenizer(models.BPE({"▁dog": 0, "é": 1, "<0xC3>": 2, "</s>": 3}, []))
    metaspace.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    ours = token_keys(PreTrainedTokenizerFast(tokenizer_object=byte_level, eos_token="<end>"))
    theirs = token_keys(PreTrainedTokenizerFast(tokenizer_object=metaspace, eos_token="</s>"))
    assert ours[("text", b" dog")] == theirs[("text", b" dog")] == 0
    assert ours[("text", "é".encode())] == 2
    assert theirs[("text", "é".encode())] == 1
    assert theirs[("text", b"\xc3")] == 2
    assert ours["eos"] == theirs["eos"] == 3


def test_poe_runs_across_vocabularies_and_keeps_the_teachers_mass_outside() -> None:
    """One step against the definition: teacher's mass outside S, mixed conditionals inside."""
    teacher, proxy = word_model(TEACHER, "<end>", seed=1), word_model(PROXY, "<stop>", seed=2)
    engine = Engine(teacher, make_policy("poe", {"gamma": 0.5}), proxies={"proxy": proxy})
    params = SamplingParams(temperature=1.0, max_new_tokens=5)
    requests = [Request(str(k), [{"role": "user", "content": "a b c"}]) for k in range(200)]
    samples = engine.generate(requests, params)
    shared, theirs = [0, 1, 2, 3, 5], [4, 3, 2, 1, 0]
    for sample in samples[:40]:
        ours_ids = [*teacher.prompt_ids(requests[0].messages), *sample.token_ids]
        proxy_ids = proxy.prompt_ids(requests[0].messages)
        for token in sample.token_ids:
            proxy_ids += engine.proxies.members[0].alignment.to_proxy(token) if engine.proxies else ()
        start = len(ours_ids) - len(sample.token_ids)
        if 4 in sample.token_ids[:-1] or teacher.tokenizer.eos_token_id in sample.token_ids[:-1]:
            continue
        with torch.no_grad():
            ours = torch.log_softmax(teacher.model(torch.tensor([ours_ids])).logits[0], -1)
            their = torch.log_softmax(proxy.model(torch.tensor([proxy_ids])).logits[0][:, theirs], -1)
        offset = len(proxy_ids) - len(ours_ids)
        for step, token in enumerate(sample.token_ids):
            at = start + step - 1
            inside = torch.log_softmax(ours[at, shared], -1)
            mixed = torch.log_softmax(0.5 * inside + 0.5 * their[at + offset], -1) + ours[at, shared].logsumexp(-1)
            expected = float(ours[at, token]) if token == 4 else float(mixed[shared.index(token)])
            assert sample.logprob_released[step] == pytest.approx(expected, abs=1e-3)
