"""The proxies' side of a policy: their logits over the tokens that all share with the teacher, and derivatives."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from distillgame.decoding.readers import Reader, make_derivative, plain_reader
from distillgame.errors import DistillgameError
from distillgame.models import MINIMUM_SHARE, LanguageModel, align
from distillgame.values import Direction

Blocks = Sequence[Sequence[int]]


@dataclass(frozen=True)
class ProxyOutput:
    """What a proxy says about the next token of N sequences.

    Attributes:
        logits: Logits over the shared tokens, float32, shape (N, S).
        delta: Derivative of the log-probabilities along g, normalised on the shared tokens, shape (N, S), or None.
    """

    logits: torch.Tensor
    delta: torch.Tensor | None


class Proxy:
    """A proxy as the engine holds it: its networks, and its alignment to the teacher.

    Args:
        teacher: The teacher whose tokens the proxy reads.
        model: The defender's stand-in for the student.
        direction: The defender's gradient g, where the derivative along it is needed.
        derivative: How it is computed (:mod:`distillgame.decoding.readers`).

    Raises:
        DistillgameError: If the vocabularies share too little, or the direction is not one of this proxy's.
    """

    def __init__(self, teacher: LanguageModel, model: LanguageModel, direction: Direction | None, derivative: str):
        self.model = model
        self.alignment = align(teacher, model)
        self.derivative = None if direction is None else make_derivative(derivative, model.model, direction)

    def to_proxy(self, token: int) -> tuple[int, ...]:
        """The proxy's ids for a teacher token."""
        return (token,) if self.alignment.identical else self.alignment.to_proxy(token)

    def reader(self) -> Reader:
        """Something that has read nothing yet."""
        return plain_reader(self.model.model) if self.derivative is None else self.derivative.start()


class Proxies:
    """The proxies of a policy, in its order, and the tokens that all of them share with the teacher.

    Args:
        teacher: The teacher whose tokens the proxies read.
        models: The proxies, at least one.
        directions: The defender's gradient at each, where the policy needs derivatives.
        derivative: How these are computed.

    Attributes:
        members: The proxies.
        shared: Ids of the shared tokens, ascending, shape (S,), or None where all are shared under equal ids.

    Raises:
        DistillgameError: If the vocabularies share too little, or a direction is not one of its proxy's.
    """

    def __init__(
        self,
        teacher: LanguageModel,
        models: Sequence[LanguageModel],
        directions: Sequence[Direction | None],
        derivative: str,
    ):
        self.members = [Proxy(teacher, m, d, derivative) for m, d in zip(models, directions, strict=True)]
        self.shared: torch.Tensor | None = None
        self.columns: list[torch.Tensor | None] = [None] * len(self.members)
        if all(member.alignment.identical for member in self.members):
            return
        tables = [_table(member) for member in self.members]
        common = sorted(set.intersection(*(set(table) for table in tables)))
        smallest = min([teacher.logit_count, *(model.logit_count for model in models)])
        if len(common) < MINIMUM_SHARE * smallest:
            raise DistillgameError(
                f"the proxies share only {len(common)} tokens with teacher '{teacher.source}' and with each other: "
                f"choose proxies with the teacher's vocabulary (at least {MINIMUM_SHARE:.0%} of the smallest)"
            )
        self.shared = torch.tensor(common, device=teacher.device)
        self.columns = [
            torch.tensor([table[token] for token in common], device=member.model.device)
            for table, member in zip(tables, self.members, strict=True)
        ]

    def start(self) -> "ProxyExperts":
        """Something that has read nothing yet."""
        return ProxyExperts(self)


class ProxyExperts:
    """The proxies reading a batch of sequences, each in its own tokens.

    Args:
        proxies: The proxies.
    """

    def __init__(self, proxies: Proxies):
        self.columns = proxies.columns
        self.readers = [member.reader() for member in proxies.members]

    def admit(self, prompts: Sequence[Blocks]) -> list[ProxyOutput]:
        """Add a row for each prompt, given in each proxy's tokens, and return what follows each."""
        return [self._output(k, self.readers[k].admit(mine)) for k, mine in enumerate(prompts)]

    def read(self, blocks: Sequence[Blocks]) -> list[ProxyOutput | None]:
        """Append ``blocks[k][i]`` to row i of proxy k.

        Returns:
            For each proxy what follows the last token, which means nothing for an empty block; None for a proxy that
            has nothing to read.
        """
        return [self._read(k, mine) if any(mine) else None for k, mine in enumerate(blocks)]

    def truncate(self, row: int, lengths: Sequence[int]) -> None:
        """Forget all but the first ``lengths[k]`` tokens that proxy k has read of a row, if it has read more."""
        for reader, length in zip(self.readers, lengths, strict=True):
            reader.truncate(row, length)

    def remove(self, row: int) -> None:
        """Drop a row; the last row takes its place."""
        for reader in self.readers:
            reader.remove(row)

    def _read(self, k: int, blocks: Blocks) -> ProxyOutput:
        reader = self.readers[k]
        outputs = reader.read(blocks)
        if outputs[0].shape[1] == 1:
            return self._output(k, tuple(output[:, 0] for output in outputs))
        last = [max(len(block) - 1, 0) for block in blocks for _ in range(reader.copies)]
        return self._output(k, tuple(output[range(len(last)), last] for output in outputs))

    def _output(self, k: int, outputs: tuple[torch.Tensor, ...]) -> ProxyOutput:
        columns = self.columns[k]
        if columns is not None:
            outputs = tuple(output[:, columns] for output in outputs)
        return ProxyOutput(*self.readers[k].combine(*outputs))


def _table(proxy: Proxy) -> dict[int, int]:
    """The proxy's id of each teacher token that it shares."""
    alignment = proxy.alignment
    return dict(zip(alignment.teacher_ids.tolist(), alignment.proxy_ids.tolist(), strict=True))
