"""The teacher's and the proxies' tokens in vLLM, where all models read the same positions."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, align


@dataclass(frozen=True)
class Shared:
    """The correspondence of the teacher's tokens with those of its proxies.

    Attributes:
        tokens: Ids of the teacher's tokens that all share, shape (S,); None if all are shared under equal ids.
        columns: For each proxy its ids of these tokens, shape (S,); None if they are equal.
        inputs: For each proxy its id for every id of the teacher's, shape (V,); None if they are equal.
    """

    tokens: torch.Tensor | None
    columns: Mapping[str, torch.Tensor | None]
    inputs: Mapping[str, torch.Tensor | None]


def shared_tokens(teacher: LanguageModel, proxies: Mapping[str, LanguageModel]) -> Shared:
    """Return how the vocabularies correspond.

    Raises:
        DistillgameError: If a token of the teacher's stands for several of a proxy's or for none: in vLLM all models
            read a sequence at the same positions. (Our own engine has a context for each.)
    """
    alignments = {name: align(teacher, proxy) for name, proxy in proxies.items()}
    if all(alignment.identical for alignment in alignments.values()):
        nothing: dict[str, torch.Tensor | None] = dict.fromkeys(proxies)
        return Shared(None, nothing, nothing)
    inputs: dict[str, torch.Tensor | None] = {}
    for name, alignment in alignments.items():
        table = torch.zeros(teacher.logit_count, dtype=torch.long)
        for token in sorted(set(teacher.tokenizer.get_vocab().values())):
            stands_for = alignment.to_proxy(token)
            if len(stands_for) != 1:
                text = teacher.tokenizer.convert_ids_to_tokens(token)
                raise DistillgameError(
                    f"proxy '{name}' has {len(stands_for) or 'no'} tokens for the teacher's {text!r}: in vLLM each has "
                    "to have one; choose a proxy with the teacher's tokenizer, or serve with our own engine"
                )
            table[token] = stands_for[0]
        inputs[name] = table
    tables = {
        name: dict(zip(each.teacher_ids.tolist(), each.proxy_ids.tolist(), strict=True))
        for name, each in alignments.items()
    }
    common = sorted(set.intersection(*(set(table) for table in tables.values())))
    columns: dict[str, torch.Tensor | None] = {
        name: torch.tensor([table[token] for token in common]) for name, table in tables.items()
    }
    return Shared(torch.tensor(common), columns, inputs)
