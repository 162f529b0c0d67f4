"""Three ways to compute a proxy's derivative along g: central differences, one pass for both sides, forward mode.

All three read the same tokens and yield the proxy's logits and their derivative; they differ in cost and in rounding.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal
from weakref import WeakValueDictionary

import torch
from torch.autograd import forward_ad

from distillgame.decoding.networks.context import Context
from distillgame.decoding.networks.dual import make_dual, unpack_dual
from distillgame.errors import DistillgameError
from distillgame.values import Direction, check_direction, float_view, low_rank_pair, moved_copy

DERIVATIVE_STEP = 3e-3
"""Central-difference step for a unit-norm direction: in float32 its error was about 0.03% (docs/decoding.md)."""

LOW_RANK_ERROR = 0.05
"""Norm of the part of the direction that the low-rank derivative may drop, relative to the whole."""

Blocks = Sequence[Sequence[int]]
DerivativeName = Literal["low_rank", "jvp", "central"]


class Reader(ABC):
    """A proxy reading a batch, row by row, through one network or several.

    Attributes:
        copies: Number of rows per sequence in the outputs.

    Args:
        contexts: The networks' contexts.
    """

    copies: ClassVar[int] = 1

    def __init__(self, *contexts: Context):
        self.contexts = contexts

    @abstractmethod
    def admit(self, prompts: Blocks) -> tuple[torch.Tensor, ...]:
        """Add rows; return the inputs of :meth:`combine` for each prompt's next token, shape (N·copies, V) each."""

    @abstractmethod
    def read(self, blocks: Blocks) -> tuple[torch.Tensor, ...]:
        """Append to every row; return the inputs of :meth:`combine` after every token, shape (B·copies, n, V) each."""

    @abstractmethod
    def combine(self, *outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return logits and the derivative of their log-softmax, (N, S) each, from outputs over the same tokens."""

    @property
    def lengths(self) -> list[int]:
        """Number of tokens read by row."""
        return self.contexts[0].lengths

    def truncate(self, row: int, length: int) -> None:
        """Forget all but the first ``length`` tokens of a row, if it has more."""
        for context in self.contexts:
            context.truncate(row, length)

    def remove(self, row: int) -> None:
        """Drop a row; the last row takes its place."""
        for context in self.contexts:
            context.remove(row)


class _PlainReader(Reader):
    """The proxy as it is, without a derivative."""

    def __init__(self, model: Any):
        super().__init__(Context(model))

    def admit(self, prompts: Blocks) -> tuple[torch.Tensor, ...]:
        return (self.contexts[0].admit(prompts),)

    def read(self, blocks: Blocks) -> tuple[torch.Tensor, ...]:
        return (self.contexts[0].read(blocks),)

    def combine(self, *outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return outputs[0], None


class Derivative(ABC):
    """A proxy together with a direction; made once, read many times.

    Attributes:
        origin: The proxy and the direction that it was made from.

    Args:
        model: The proxy.
        direction: The direction.
    """

    name: ClassVar[str]

    def __init__(self, model: Any, direction: Direction):
        self.origin = (model, direction)

    @abstractmethod
    def start(self) -> Reader:
        """Return a reader that has read nothing yet."""


class _CentralDerivative(Derivative):
    """Two float32 copies at theta ± step·g, one after the other: the reference."""

    name = "central"

    def __init__(self, model: Any, direction: Direction):
        super().__init__(model, direction)
        self.networks = [moved_copy(model, direction, sign * DERIVATIVE_STEP) for sign in (1, -1)]

    def start(self) -> Reader:
        return _CentralReader(self.networks)


class _CentralReader(Reader):
    def __init__(self, networks: Sequence[Any]):
        super().__init__(*(Context(network) for network in networks))

    def admit(self, prompts: Blocks) -> tuple[torch.Tensor, ...]:
        return tuple(context.admit(prompts) for context in self.contexts)

    def read(self, blocks: Blocks) -> tuple[torch.Tensor, ...]:
        return tuple(context.read(blocks) for context in self.contexts)

    def combine(self, *outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return _central(*(torch.log_softmax(output, -1) for output in outputs))


def _central(plus: torch.Tensor, minus: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits at theta, to second order in the step, and the derivative, from both sides' log-probabilities."""
    return (plus + minus).mul_(0.5), (plus - minus).mul_(1 / (2 * DERIVATIVE_STEP))


class _LowRankDerivative(Derivative):
    """One float32 pass over shared weights, with ±step·g as a low-rank adapter of even and odd rows."""

    name = "low_rank"

    def __init__(self, model: Any, direction: Direction):
        super().__init__(model, direction)
        self.network = low_rank_pair(model, direction, DERIVATIVE_STEP, LOW_RANK_ERROR)

    def start(self) -> Reader:
        return _PairReader(self.network)


class _PairReader(Reader):
    copies = 2

    def __init__(self, network: Any):
        super().__init__(Context(network))

    @property
    def lengths(self) -> list[int]:
        return self.contexts[0].lengths[::2]

    def admit(self, prompts: Blocks) -> tuple[torch.Tensor, ...]:
        return (self.contexts[0].admit([prompt for prompt in prompts for _ in "+-"]),)

    def read(self, blocks: Blocks) -> tuple[torch.Tensor, ...]:
        return (self.contexts[0].read([block for block in blocks for _ in "+-"]),)

    def combine(self, *outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        logprobs = torch.log_softmax(outputs[0], -1)
        return _central(logprobs[0::2], logprobs[1::2])

    def truncate(self, row: int, length: int) -> None:
        for place in (2 * row, 2 * row + 1):
            self.contexts[0].truncate(place, length)

    def remove(self, row: int) -> None:
        # The last row takes the place of the one removed: first the odd ones of both sequences, then the even ones.
        for place in (2 * row + 1, 2 * row):
            self.contexts[0].remove(place)


class _ForwardDerivative(Derivative):
    """One forward-mode pass in float32, exact up to rounding; it needs an attention with derivatives."""

    name = "jvp"

    def __init__(self, model: Any, direction: Direction):
        super().__init__(model, direction)
        check_direction(model, direction)
        self.model = float_view(model)
        self.model.set_attn_implementation("eager")
        self.direction = {name: direction[name].to(p) for name, p in self.model.named_parameters()}

    def start(self) -> Reader:
        return _ForwardReader(self.model, self.direction)


class _ForwardReader(Reader):
    def __init__(self, model: Any, direction: Direction):
        self.model, self.direction = model, direction
        super().__init__(Context(self._network, model, tangents=True))

    def _network(self, **inputs: Any) -> Any:
        duals = {
            name: make_dual(parameter.detach(), self.direction[name])
            for name, parameter in self.model.named_parameters()
        }
        return torch.func.functional_call(self.model, duals, kwargs=inputs)

    def admit(self, prompts: Blocks) -> tuple[torch.Tensor, ...]:
        with torch.inference_mode(False), torch.no_grad(), forward_ad.dual_level():
            return unpack_dual(self.contexts[0].admit(prompts))

    def read(self, blocks: Blocks) -> tuple[torch.Tensor, ...]:
        with torch.inference_mode(False), torch.no_grad(), forward_ad.dual_level():
            return unpack_dual(self.contexts[0].read(blocks))

    def combine(self, *outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        logits, tangent = outputs
        mean = (torch.softmax(logits, -1) * tangent).sum(-1, keepdim=True)
        return logits, tangent - mean


def plain_reader(model: Any) -> Reader:
    """Return a reader for a proxy whose derivative is not needed."""
    return _PlainReader(model)


def make_derivative(name: str, model: Any, direction: Direction) -> Derivative:
    """Return the derivative called ``low_rank``, ``jvp`` or ``central`` of a proxy along ``direction``.

    As long as one is in use, all who ask for the same get the same: its networks are as large as the proxy in float32.

    Raises:
        DistillgameError: If there is none of that name, or the direction is not one of this model's.
    """
    kinds: dict[str, type[_LowRankDerivative | _ForwardDerivative | _CentralDerivative]] = {
        kind.name: kind for kind in (_LowRankDerivative, _ForwardDerivative, _CentralDerivative)
    }
    if name not in kinds:
        raise DistillgameError(f"derivative '{name}' does not exist; choose one of {', '.join(kinds)}")
    # A derivative holds on to its origin, so that no other model or direction gets their identities.
    key = (name, id(model), id(direction))
    made = _in_use.get(key)
    if made is None:
        made = _in_use[key] = kinds[name](model, direction)
    return made


_in_use: WeakValueDictionary[tuple[str, int, int], Derivative] = WeakValueDictionary()
