"""The proxy's side of a policy: its logits over the tokens it shares with the teacher, and their derivative."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from distillgame.decoding.readers import Reader, make_derivative, plain_reader
from distillgame.models import LanguageModel, align
from distillgame.values import Direction


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

    def __init__(
        self,
        teacher: LanguageModel,
        model: LanguageModel,
        direction: Direction | None = None,
        derivative: str = "low_rank",
    ):
        self.model = model
        self.alignment = align(teacher, model)
        identical = self.alignment.identical
        self.shared = None if identical else self.alignment.teacher_ids.to(teacher.device)
        self.columns = None if identical else self.alignment.proxy_ids.to(model.device)
        self.derivative = None if direction is None else make_derivative(derivative, model.model, direction)

    def to_proxy(self, token: int) -> tuple[int, ...]:
        """The proxy's ids for a teacher token."""
        return (token,) if self.shared is None else self.alignment.to_proxy(token)

    def start(self) -> "ProxyExpert":
        """Something that has read nothing yet."""
        return ProxyExpert(self)


class ProxyExpert:
    """A proxy reading a batch of sequences.

    Args:
        proxy: The proxy.
    """

    def __init__(self, proxy: Proxy):
        self.columns = proxy.columns
        self.reader: Reader = plain_reader(proxy.model.model) if proxy.derivative is None else proxy.derivative.start()

    def admit(self, prompts: Sequence[Sequence[int]]) -> ProxyOutput:
        """Add a row for each prompt, in the proxy's tokens, and return what follows each."""
        return self._output(self.reader.admit(prompts))

    def read(self, blocks: Sequence[Sequence[int]]) -> ProxyOutput:
        """Append ``blocks[i]`` to row i and return what follows its last token; an empty block's row means nothing."""
        outputs = self.reader.read(blocks)
        last = [max(len(block) - 1, 0) for block in blocks for _ in range(self.reader.copies)]
        if outputs[0].shape[1] == 1:
            return self._output(tuple(output[:, 0] for output in outputs))
        return self._output(tuple(output[range(len(last)), last] for output in outputs))

    def _output(self, outputs: tuple[torch.Tensor, ...]) -> ProxyOutput:
        if self.columns is not None:
            outputs = tuple(output[:, self.columns] for output in outputs)
        return ProxyOutput(*self.reader.combine(*outputs))
