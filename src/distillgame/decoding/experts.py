"""The networks behind a policy: teacher, proxy, and the proxy's derivative along the defender's gradient."""

import copy
from collections.abc import Sequence
from typing import Any

import torch

from distillgame.decoding.cache import RaggedContext
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, align
from distillgame.values import Direction

DERIVATIVE_STEP = 3e-3
"""Central-difference step for a unit-norm direction: in float32 its error was about 0.03% (DESIGN, section 6)."""


class TeacherExpert:
    """The reference teacher over a batch of prompts."""

    def __init__(self, teacher: LanguageModel, prompts: Sequence[Sequence[int]]):
        self.context = RaggedContext(teacher.model, len(prompts))
        self.logits = self.context.feed(prompts)

    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        """Read the released tokens of each row."""
        self.logits = self.context.feed(tokens)

    def select(self, rows: torch.Tensor) -> None:
        """Keep only ``rows``."""
        self.context.select(rows)
        self.logits = self.logits[rows]


class Proxy:
    """A proxy as the engine holds it: its network or networks, and its alignment to the teacher.

    Args:
        teacher: The teacher whose tokens the proxy reads.
        proxy: The defender's stand-in for the student.
        direction: The defender's gradient g; given, the proxy is evaluated at theta ± step·g in float32, which yields
            the derivative (central difference) and, as the mean, its log-probabilities.

    Raises:
        DistillgameError: If the vocabularies share too little, or the direction is not one of this proxy's.
    """

    def __init__(self, teacher: LanguageModel, proxy: LanguageModel, direction: Direction | None = None):
        self.model = proxy
        self.alignment = align(teacher, proxy)
        self.shared = None if self.alignment.identical else self.alignment.teacher_ids.to(teacher.device)
        self.columns = None if self.alignment.identical else self.alignment.proxy_ids.to(proxy.device)
        self.has_delta = direction is not None
        if direction is None:
            self.networks: list[Any] = [proxy.model]
        else:
            self.networks = [_perturbed(proxy.model, direction, sign * DERIVATIVE_STEP) for sign in (1, -1)]

    def start(self, prompts: Sequence[Sequence[int]]) -> "ProxyExpert":
        """Read a batch of prompts, given in the proxy's own tokens."""
        return ProxyExpert(self, prompts)


class ProxyExpert:
    """A proxy over a batch of prompts.

    Attributes:
        logits: Log-probabilities over the shared tokens, normalised on them, shape (B, S).
        delta: Their derivative along g, shape (B, S), or None.
    """

    def __init__(self, proxy: Proxy, prompts: Sequence[Sequence[int]]):
        self.proxy = proxy
        self.contexts = [RaggedContext(network, len(prompts)) for network in proxy.networks]
        self.logits: torch.Tensor
        self.delta: torch.Tensor | None = None
        self._read(prompts)

    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        """Read the released tokens of each row, given in the teacher's ids."""
        if self.proxy.columns is None:
            self._read(tokens)
        else:
            to_proxy = self.proxy.alignment.to_proxy
            self._read([[i for token in row for i in to_proxy(token)] for row in tokens])

    def select(self, rows: torch.Tensor) -> None:
        """Keep only ``rows``."""
        for context in self.contexts:
            context.select(rows)
        self.logits = self.logits[rows]
        self.delta = None if self.delta is None else self.delta[rows]

    def _read(self, blocks: Sequence[Sequence[int]]) -> None:
        columns = self.proxy.columns
        results = [context.feed(blocks) for context in self.contexts]
        shared = [torch.log_softmax(r if columns is None else r[:, columns], -1) for r in results]
        if not self.proxy.has_delta:
            self.logits = shared[0]
            return
        plus, minus = shared
        self.logits = torch.log_softmax((plus + minus) / 2, -1)
        self.delta = (plus - minus) / (2 * DERIVATIVE_STEP)


def _perturbed(model: Any, direction: Direction, step: float) -> Any:
    """A float32 copy of ``model`` at theta + step·direction (in bfloat16 most weights would not move)."""
    moved = copy.deepcopy(model).float()
    parameters = dict(moved.named_parameters())
    if parameters.keys() != direction.keys():
        odd = sorted(parameters.keys() ^ direction.keys())[0]
        raise DistillgameError(f"the gradient does not belong to this proxy: parameter '{odd}' is on one side only")
    with torch.no_grad():
        for name, parameter in parameters.items():
            if parameter.shape != direction[name].shape:
                raise DistillgameError(f"the gradient does not belong to this proxy: '{name}' has another shape")
            parameter.add_(direction[name].to(parameter), alpha=step)
    return moved
