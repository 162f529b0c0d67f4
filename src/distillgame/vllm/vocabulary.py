"""The teacher's and the proxies' tokens in vLLM, where all models read the same positions.

A teacher's token may be several of a proxy's, or none, as `<think>` is for Qwen2.5. Our own engine gives each proxy a
context of its own, with the several tokens or without any. In vLLM the proxy reads exactly one token there, a stand-in:

* the last of the several that spell the text, for the proxy's logits at that place are about what follows the text
  (directly after words it was the nearest to the proxy's own context, directly after markers the longest was nearer,
  and further on the last was not the nearest: docs/lab.md);
* where nothing spells it (a special token that the proxy lacks, a part of a character, an id without a token), the
  token that begins the proxy's texts, or if there is none the one that ends them: what stands between two texts.

An added token that the proxy has under the same name is read as that one, also where the two have different roles: what
ends a turn for a chat model ends nothing for its base model, which knows it all the same.

Policies act on shared tokens alone, so a token with a stand-in keeps the teacher's probability, as in our own engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from distillgame.errors import DistillgameError
from distillgame.models import Alignment, LanguageModel, ModelSpec, align, common_tokens, load_tokenizer, locate

SHOWN = 6
"""Number of stand-ins that a notice shows."""


@dataclass(frozen=True)
class Shared:
    """The correspondence of the teacher's tokens with those of its proxies.

    Attributes:
        tables: For each proxy its id of every token of the teacher's that it shares, -1 elsewhere, shape (V,); None if
            all are shared under equal ids.
        inputs: For each proxy the id that it reads for every id of the teacher's, shape (V,); None if they are equal.
        stand_ins: For each proxy its stand-ins by the teacher's tokens; a proxy without any need not be there.
    """

    tables: Mapping[str, torch.Tensor | None]
    inputs: Mapping[str, torch.Tensor | None]
    stand_ins: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def common(self, names: Sequence[str]) -> tuple[torch.Tensor | None, dict[str, torch.Tensor | None]]:
        """Return what some of the proxies share with the teacher and with each other, as our own engine has it.

        Args:
            names: The proxies.

        Returns:
            The tokens as the teacher's ids, shape (S,), and as those of each proxy, shape (S,); None where all of the
            teacher's are shared under equal ids.
        """
        tables = {name: self.tables[name] for name in names}
        told = [table >= 0 for table in tables.values() if table is not None]
        if not told:
            return None, tables
        tokens = torch.stack(told).all(0).nonzero().flatten()
        return tokens, {name: tokens if table is None else table[tokens] for name, table in tables.items()}

    def notices(self, teacher: LanguageModel, proxies: Mapping[str, LanguageModel]) -> list[str]:
        """Return a line for the provider about each proxy that reads stand-ins, those of added tokens first.

        Args:
            teacher: The teacher.
            proxies: The proxies.
        """
        lines, added = [], teacher.tokenizer.added_tokens_decoder
        for name, found in self.stand_ins.items():
            if not found:
                continue
            ours, theirs = teacher.tokenizer, proxies[name].tokenizer
            shown = sorted(found, key=lambda token: (token not in added, token))[:SHOWN]
            pairs = [f"{_text(ours, token)} as {_text(theirs, found[token])}" for token in shown]
            rest = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
            lines.append(
                f"proxy '{name}' reads stand-ins for {len(found):,} of the teacher's {len(ours):,} tokens, which are "
                f"several of its own or none: {', '.join(pairs)}{rest} (docs/vllm.md, 'Stand-ins')"
            )
        return lines


def shared_tokens(teacher: LanguageModel, proxies: Mapping[str, LanguageModel]) -> Shared:
    """Return how the vocabularies correspond.

    Raises:
        DistillgameError: If the vocabularies share too little (:data:`distillgame.models.alignment.MINIMUM_SHARE`).
    """
    alignments = {name: align(teacher, proxy) for name, proxy in proxies.items()}
    tables: dict[str, torch.Tensor | None] = dict.fromkeys(proxies)
    if all(alignment.identical for alignment in alignments.values()):
        return Shared(tables, dict.fromkeys(proxies))
    common_tokens(teacher, list(proxies.values()), list(alignments.values()))
    inputs: dict[str, torch.Tensor | None] = {}
    stand_ins = {}
    for name, proxy in proxies.items():
        alignment = alignments[name]
        if not alignment.identical:
            tables[name] = torch.full((teacher.logit_count,), -1).scatter(0, alignment.teacher_ids, alignment.proxy_ids)
        inputs[name], stand_ins[name] = _read(teacher, proxy, alignment)
    return Shared(tables, inputs, stand_ins)


def require_drafting(teacher: LanguageModel, arguments: Mapping[str, Any]) -> None:
    """Check that a draft model has the teacher's tokens: it reads and writes the teacher's ids, without stand-ins.

    Args:
        teacher: The teacher.
        arguments: The arguments of vLLM's engine.

    Raises:
        DistillgameError: If it has others, or as :func:`draft_model`.
    """
    if (drafter := draft_model(arguments)) is None:
        return
    # Ids are what counts. Which of them ends a text may differ, as between a chat model and its base model.
    if load_tokenizer(ModelSpec(source=drafter)).get_vocab() != teacher.tokenizer.get_vocab():
        raise DistillgameError(
            f"vllm.arguments: '{drafter}' has other tokens than the teacher and cannot draft for it: leave the draft "
            "model out, or name one with the teacher's tokenizer"
        )


def draft_model(arguments: Mapping[str, Any]) -> str | None:
    """Return the model that drafts by the arguments of vLLM's engine, or None without one.

    Args:
        arguments: The arguments.

    Raises:
        DistillgameError: If they are of another kind, or name it as vLLM does not.
    """
    speculative = arguments.get("speculative_config")
    if speculative is None:
        speculative = {}
    if not isinstance(speculative, Mapping):
        raise DistillgameError(f"vllm.arguments.speculative_config: a mapping (found {speculative!r})")
    method = speculative.get("method") or arguments.get("spec_method")
    drafter = speculative.get("model") or arguments.get("spec_model")
    # vLLM takes a model whose method is not named for a draft model, unless it is one of these.
    if method not in (None, "draft_model") or drafter in (None, "ngram", "[ngram]"):
        return None
    location = locate(str(drafter))
    if location.revision is not None or location.name not in (drafter, str(Path(drafter))):
        raise DistillgameError(
            f"vllm.arguments: vLLM takes a draft model by its folder or its plain hub name, here '{location.name}' "
            f"(found '{drafter}')"
        )
    return str(drafter)


def _read(teacher: LanguageModel, proxy: LanguageModel, alignment: Alignment) -> tuple[torch.Tensor, dict[int, int]]:
    """Return what a proxy reads for every id of the teacher's, shape (V,), and which of these are stand-ins."""
    ours, theirs = teacher.tokenizer, proxy.tokenizer
    between = theirs.eos_token_id if theirs.bos_token_id is None else theirs.bos_token_id
    # A tokenizer may know more tokens than its network: those without logits are not there.
    named = {str(added): i for i, added in theirs.added_tokens_decoder.items() if i < proxy.logit_count}
    namesakes = {token: named[str(added)] for token, added in ours.added_tokens_decoder.items() if str(added) in named}
    known = namesakes.keys() | set(alignment.teacher_ids.tolist())
    table, stand_ins = [between] * teacher.logit_count, {}
    for token in sorted(i for i in set(ours.get_vocab().values()) if i < teacher.logit_count):
        spelled = (namesakes[token],) if token in namesakes else alignment.to_proxy(token)
        read = table[token] = spelled[-1] if spelled else between
        # What a proxy's tokenizer does not know is one token, too.
        if token not in known and (len(spelled) != 1 or read == theirs.unk_token_id):
            stand_ins[token] = read
    return torch.tensor(table), stand_ins


def _text(tokenizer: Any, token: int) -> str:
    return repr(tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False))
