"""Align two vocabularies by the text of their tokens, since teacher and proxy mix token by token (docs/game.md).

Published pairs of one family pad to different sizes and reuse ids for different special tokens, so neither ids nor
vocabulary sizes say anything about meaning. End-of-sequence tokens are matched by role.
"""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch

from distillgame.errors import DistillgameError
from distillgame.models.loading import LanguageModel, load_tokenizer
from distillgame.models.spec import ModelSpec

MINIMUM_SHARE = 0.5
"""Smallest accepted share of the smaller vocabulary that two models have in common."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """The tokens that two models share.

    Attributes:
        teacher_ids: Shared tokens as teacher ids, ascending, shape (S,).
        proxy_ids: The same tokens as proxy ids, shape (S,).
        identical: Whether both models have the same logits in the same order, so that nothing needs to be gathered.
        spelled: For teacher tokens outside the shared set, the proxy ids that spell their text (possibly none).
    """

    teacher_ids: torch.Tensor
    proxy_ids: torch.Tensor
    identical: bool
    spelled: dict[int, tuple[int, ...]]

    def to_proxy(self, token: int) -> tuple[int, ...]:
        """Return the proxy ids that stand for the teacher token ``token`` in the proxy's context."""
        return self.spelled.get(token, ()) if token not in self._map else (self._map[token],)

    @cached_property
    def _map(self) -> dict[int, int]:
        return dict(zip(self.teacher_ids.tolist(), self.proxy_ids.tolist(), strict=True))


def align(teacher: LanguageModel, proxy: LanguageModel) -> Alignment:
    """Align the proxy's vocabulary to the teacher's.

    Raises:
        DistillgameError: If less than :data:`MINIMUM_SHARE` of the smaller vocabulary is shared.
    """
    ours, theirs = token_keys(teacher.tokenizer), token_keys(proxy.tokenizer)
    ours = {key: i for key, i in ours.items() if i < teacher.logit_count}
    theirs = {key: i for key, i in theirs.items() if i < proxy.logit_count}
    pairs = _shared(ours, theirs, teacher.source, proxy.source)
    teacher_ids = torch.tensor([t for t, _ in pairs])
    proxy_ids = torch.tensor([p for _, p in pairs])
    same = teacher.logit_count == proxy.logit_count == len(pairs) and bool((teacher_ids == proxy_ids).all())
    shared = {t for t, _ in pairs}
    spelled = {
        i: tuple(p for p in _spelled(key, theirs, proxy.tokenizer) if p < proxy.logit_count)
        for i, key in _meanings(teacher.tokenizer).items()
        if i not in shared and i < teacher.logit_count
    }
    return Alignment(teacher_ids, proxy_ids, same, spelled)


def common_tokens(
    teacher: LanguageModel, models: Sequence[LanguageModel], alignments: Sequence[Alignment]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the tokens that several models share with the teacher and with each other.

    Args:
        teacher: The teacher.
        models: The models, at least one.
        alignments: Their alignments to the teacher.

    Returns:
        The tokens as teacher ids, ascending, shape (S,), and as the ids of each model, shape (S,).

    Raises:
        DistillgameError: If they are less than :data:`MINIMUM_SHARE` of the smallest vocabulary.
    """
    tables = [alignment._map for alignment in alignments]
    common = sorted(set.intersection(*(set(table) for table in tables)))
    smallest = min([teacher.logit_count, *(model.logit_count for model in models)])
    if len(common) < MINIMUM_SHARE * smallest:
        raise DistillgameError(
            f"the proxies share only {len(common)} tokens with teacher '{teacher.source}' and with each other: "
            f"choose proxies with the teacher's vocabulary (at least {MINIMUM_SHARE:.0%} of the smallest)"
        )
    return torch.tensor(common), [torch.tensor([table[token] for token in common]) for table in tables]


def require_alignable(teacher: ModelSpec, proxy: ModelSpec) -> None:
    """Check by the tokenizers alone that a pair can be aligned, before anything expensive runs.

    Raises:
        DistillgameError: As :func:`align`.
    """
    ours, theirs = (token_keys(load_tokenizer(spec)) for spec in (teacher, proxy))
    _shared(ours, theirs, teacher.source, proxy.source)


def _shared(ours: dict[Hashable, int], theirs: dict[Hashable, int], teacher: str, proxy: str) -> list[tuple[int, int]]:
    """Return the pairs of teacher and proxy ids of all shared tokens, in the teacher's order."""
    pairs = sorted((i, theirs[key]) for key, i in ours.items() if key in theirs)
    smaller = min(len(ours), len(theirs))
    if len(pairs) < MINIMUM_SHARE * smaller:
        raise DistillgameError(
            f"proxy '{proxy}' shares only {len(pairs)} of {smaller} tokens ({len(pairs) / smaller:.0%}) with "
            f"teacher '{teacher}': choose a proxy with the teacher's vocabulary (at least {MINIMUM_SHARE:.0%})"
        )
    return pairs


def token_keys(tokenizer: Any) -> dict[Hashable, int]:
    """Return the id of each token by a key that says what it means and compares across tokenizers.

    The key is ``("text", bytes)`` for text, ``("special", str)`` for a special token and ``"eos"`` for the
    end-of-sequence token, whatever it is called. If two ids have one meaning, the lower id keeps it.
    """
    keys: dict[Hashable, int] = {}
    for i, key in _meanings(tokenizer).items():
        keys.setdefault(key, i)
    return keys


def _meanings(tokenizer: Any) -> dict[int, Hashable]:
    """Return the key of each id, in the order of ids."""
    added = tokenizer.added_tokens_decoder
    style = _style(tokenizer)
    keys: dict[int, Hashable] = {}
    for token, i in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
        key: Hashable
        if i == tokenizer.eos_token_id:
            key = "eos"
        elif i in added:
            content = added[i].content
            key = ("special", content) if added[i].special else ("text", content.encode())
        else:
            key = ("text", _token_bytes(token, style))
        keys[i] = key
    return keys


def _spelled(key: Hashable, theirs: dict[Hashable, int], tokenizer: Any) -> tuple[int, ...]:
    """Return the proxy's ids for the meaning of a teacher's token that is not shared."""
    if key in theirs:  # Another of the teacher's ids has this meaning, and is shared.
        return (theirs[key],)
    if isinstance(key, tuple) and key[0] == "text" and _is_utf8(key[1]):
        return tuple(tokenizer.encode(key[1].decode(), add_special_tokens=False))
    return ()


def _style(tokenizer: Any) -> str:
    """Return the tokenizer's notation for tokens: ``byte-level``, ``metaspace`` or ``plain``."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return "metaspace"
    state = json.loads(backend.to_str())
    parts = json.dumps([state.get("decoder"), state.get("pre_tokenizer"), state.get("normalizer")])
    if '"ByteLevel"' in parts:
        return "byte-level"
    return "metaspace" if "\\u2581" in parts else "plain"


def _token_bytes(token: str, style: str) -> bytes:
    if style == "byte-level":
        table = _byte_table()
        if all(character in table for character in token):
            return bytes(table[character] for character in token)
        return token.encode()
    if style == "metaspace":
        if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            return bytes([int(token[3:5], 16)])
        return token.replace("\u2581", " ").encode()
    return token.encode()


@lru_cache
def _byte_table() -> dict[str, int]:
    """Return the byte of each printable stand-in of byte-level vocabularies (printable Latin-1 stands for itself)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(0x100 + k): byte for k, byte in enumerate(others)}


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
