"""The proxies of a policy: their logits over the tokens that all share with the teacher, and derivatives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from distillgame.decoding.networks.independence import require_independent_rows
from distillgame.decoding.networks.readers import Reader, make_derivative, plain_reader
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, align, common_tokens
from distillgame.policies import ReleasePolicy
from distillgame.values import Direction

Blocks = Sequence[Sequence[int]]
T = TypeVar("T")


@dataclass(frozen=True)
class ProxyOutput:
    """A proxy's output for the next token of N sequences.

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
        direction: The defender's gradient g, if the derivative along it is needed.
        derivative: How it is computed (:mod:`distillgame.decoding.networks.readers`).

    Raises:
        DistillgameError: If the vocabularies share too little, the direction is not one of this proxy's, or a row of
            its batches would depend on the others.
    """

    def __init__(self, teacher: LanguageModel, model: LanguageModel, direction: Direction | None, derivative: str):
        require_independent_rows(model.model)
        self.model = model
        self.alignment = align(teacher, model)
        self.derivative = None if direction is None else make_derivative(derivative, model.model, direction)

    def to_proxy(self, token: int) -> tuple[int, ...]:
        """Return the proxy's ids for a teacher token."""
        return (token,) if self.alignment.identical else self.alignment.to_proxy(token)

    def reader(self) -> Reader:
        """Return a reader that has read nothing yet."""
        return plain_reader(self.model.model) if self.derivative is None else self.derivative.start()


class Proxies:
    """The proxies of a policy, in its order, and the tokens that all of them share with the teacher.

    Args:
        teacher: The teacher whose tokens the proxies read.
        models: The proxies, at least one.
        directions: The defender's gradient at each proxy, if the policy needs derivatives.
        derivative: How derivatives are computed.

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
        common, columns = common_tokens(teacher, models, [member.alignment for member in self.members])
        self.shared = common.to(teacher.device)
        self.columns = [each.to(model.device) for each, model in zip(columns, models, strict=True)]

    def start(self) -> "ProxyExperts":
        """Return a reader that has read nothing yet."""
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
        """Add a row per prompt, given in each proxy's tokens; return each proxy's output for the next token."""
        return [self._output(k, self.readers[k].admit(mine)) for k, mine in enumerate(prompts)]

    def read(self, blocks: Sequence[Blocks]) -> list[ProxyOutput | None]:
        """Append ``blocks[k][i]`` to row i of proxy k.

        Returns:
            For each proxy its output after the last token, which is meaningless for an empty block; None for a proxy
            that has nothing to read.
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


def make_proxies(
    teacher: LanguageModel,
    policy: ReleasePolicy,
    models: Mapping[str, LanguageModel],
    directions: Mapping[str, Direction],
    derivative: str,
    speculative: bool,
) -> Proxies | None:
    """Return the proxies that a policy names, or None if it uses none and none shall draft.

    Raises:
        DistillgameError: If a proxy or a direction is missing or does not fit.
    """
    if not policy.uses_proxies and not speculative:
        return None
    purpose = "speculative decoding" if speculative else f"policy '{policy.name}'"
    chosen = [_find(models, name, f"{purpose} needs a proxy called '{name}'") for name in policy.proxies]
    gradients: list[Direction | None] = [None] * len(chosen)
    if policy.needs_delta:
        missing = f"policy '{policy.name}' needs the defender's gradient at the proxy"
        gradients = [_find(directions, name, f"{missing} '{name}'") for name in policy.proxies]
    return Proxies(teacher, chosen, gradients, derivative)


def _find(known: Mapping[str, T], name: str, message: str) -> T:
    if name not in known:
        raise DistillgameError(f"{message}: name one")
    return known[name]
