"""A network at theta + t·g and at theta - t·g: two copies, or one pass over shared weights with g as an adapter.

Half the difference of the two, divided by t, is the derivative along g (central differences). Everything is float32: in
bfloat16 a useful t would leave most weights unchanged.
"""

import copy
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from distillgame.errors import DistillgameError
from distillgame.values.gradient import Direction
from distillgame.values.low_rank import Factors, factorise


def check_direction(model: Any, direction: Direction) -> None:
    """Check that a direction has a tensor of the right shape for every parameter.

    Raises:
        DistillgameError: If it does not.
    """
    parameters = dict(model.named_parameters())
    if parameters.keys() != direction.keys():
        odd = sorted(parameters.keys() ^ direction.keys())[0]
        raise DistillgameError(f"the gradient does not belong to this proxy: parameter '{odd}' is on one side only")
    for name, parameter in parameters.items():
        if parameter.shape != direction[name].shape:
            raise DistillgameError(f"the gradient does not belong to this proxy: '{name}' has another shape")


def moved_copy(model: Any, direction: Direction, step: float, dtype: torch.dtype = torch.float32) -> Any:
    """Return a copy of ``model`` in ``dtype`` at theta + step·direction."""
    check_direction(model, direction)
    moved = copy.deepcopy(model).to(dtype)
    with torch.no_grad():
        for name, parameter in moved.named_parameters():
            parameter.add_(direction[name].to(parameter), alpha=step)
    return moved


def float_view(model: Any) -> Any:
    """Return the same network in float32; weights that are float32 already are shared with ``model``."""
    shared = {id(p): p for p in model.parameters()} if next(model.parameters()).dtype == torch.float32 else {}
    # Models read from quantised files refuse `float`, but not `to`.
    return copy.deepcopy(model, shared).to(torch.float32)


def low_rank_pair(model: Any, direction: Direction, step: float, error: float) -> Any:
    """Return a network that reads two rows per sequence: even ones at theta + step·g, odd ones at theta - step·g.

    The weights are read once for both. Of each matrix of g only some singular directions are kept, chosen so that few
    multiplications are needed while the part dropped from g has at most ``error`` of its norm.

    Args:
        model: A decoder-only Hugging Face model; it is not changed.
        direction: The direction g, for every parameter.
        step: Step t along g.
        error: Norm of the part that may be dropped, relative to that of g.

    Returns:
        A module with the model's own interface.
    """
    check_direction(model, direction)
    pair = float_view(model)
    # Tied weights are one parameter in several modules, so they are found by identity.
    moves = {id(p): direction[name].to(p) * step for name, p in pair.named_parameters()}
    norm = sum(float(d.double().square().sum()) for d in direction.values()) ** 0.5
    reducible = dict.fromkeys(id(m.weight) for m in pair.modules() if isinstance(m, nn.Linear) or _is_plain(m))
    factors = factorise({key: moves[key] for key in reducible}, error * norm * step)
    sides = _Sides()
    for name, module in list(pair.named_modules()):
        own = dict(module.named_parameters(recurse=False))
        if not own:
            continue
        mine = {key: moves[id(p)] for key, p in own.items()}
        replacement: nn.Module = _PairModule(module, mine, sides)
        if isinstance(module, nn.Linear) or _is_plain(module):
            kind = _PairEmbedding if isinstance(module, nn.Embedding) else _PairLinear
            replacement = kind(module, factors[id(module.weight)], mine.get("bias"), sides)
        elif type(module).__name__.endswith("RMSNorm") and own.keys() == {"weight"}:
            replacement = _PairNorm(module, mine["weight"], sides)
        parent, _, attribute = name.rpartition(".")
        setattr(pair.get_submodule(parent), attribute, replacement)
    pair.register_forward_pre_hook(sides.begin, with_kwargs=True)
    return pair


class _Sides:
    """The even and odd rows of tensors in which a model may have folded rows and tokens together."""

    def begin(self, module: nn.Module, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """Record the number of rows of a pass."""
        ids = keywords["input_ids"] if "input_ids" in keywords else args[0]
        self.rows = ids.shape[0]

    def signs(self, like: torch.Tensor) -> torch.Tensor:
        """Return +1 for even and -1 for odd rows, broadcastable against ``like``."""
        return _signs(self.rows, like.shape[0] // self.rows, like.ndim, like.device)

    def split(self, value: Any) -> tuple[Any, Any]:
        """Return the even and the odd rows of a tensor; any other value belongs to both."""
        if not isinstance(value, torch.Tensor) or value.ndim == 0 or value.shape[0] % self.rows:
            return value, value
        parts = value.reshape(self.rows // 2, 2, -1, *value.shape[1:])
        return parts[:, 0].flatten(0, 1).contiguous(), parts[:, 1].flatten(0, 1).contiguous()

    def join(self, even: torch.Tensor, odd: torch.Tensor) -> torch.Tensor:
        """Undo :meth:`split`."""
        parts = [side.reshape(self.rows // 2, -1, *side.shape[1:]) for side in (even, odd)]
        return torch.stack(parts, 1).flatten(0, 2)


@lru_cache(maxsize=512)
def _signs(rows: int, folded: int, dimensions: int, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):
        signs = (1.0 - 2.0 * (torch.arange(rows, device=device) % 2)).repeat_interleave(folded)
        return signs.view(-1, *[1] * (dimensions - 1))


def _is_plain(module: nn.Module) -> bool:
    """Return whether a module is an embedding that only looks up (and scales) rows, without offset or mask."""
    looks_up = type(module).forward is nn.Embedding.forward or hasattr(module, "embed_scale")
    return isinstance(module, nn.Embedding) and looks_up


class _PairLinear(nn.Module):
    def __init__(self, module: Any, factors: Factors, bias: torch.Tensor | None, sides: _Sides):
        super().__init__()
        self.weight, self.bias = module.weight, module.bias
        self.factors, self.bias_move, self.sides = factors, bias, sides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.factors.left, self.factors.right
        signs = self.sides.signs(x)
        moved = (x if left is None else functional.linear(x, right)) * signs
        flat = functional.linear(x.reshape(-1, x.shape[-1]), self.weight, self.bias)
        flat.addmm_(moved.reshape(-1, moved.shape[-1]), (right if left is None else left).T)
        y = flat.view(*x.shape[:-1], -1)
        if self.bias_move is not None:
            y += self.bias_move * signs
        return y


class _PairEmbedding(nn.Module):
    def __init__(self, module: Any, factors: Factors, bias: torch.Tensor | None, sides: _Sides):
        super().__init__()
        self.inner, self.factors, self.sides = module, factors, sides

    @property
    def weight(self) -> torch.Tensor:
        weight: torch.Tensor = self.inner.weight
        return weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        left, right = self.factors.left, self.factors.right
        move = right[ids] if left is None else left[ids] @ right
        y: torch.Tensor = self.inner(ids)
        return y + move * getattr(self.inner, "embed_scale", 1.0) * self.sides.signs(y)


class _PairNorm(nn.Module):
    """A norm whose forward multiplies by its weight, which broadcasts over rows as well as over features."""

    def __init__(self, module: Any, move: torch.Tensor, sides: _Sides):
        super().__init__()
        self.weight = nn.Parameter(module.weight.detach(), requires_grad=False)
        self.move, self.sides = move, sides
        self.inner = copy.copy(module)
        self.inner._parameters = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inner.weight = self.weight + self.sides.signs(x) * self.move
        y: torch.Tensor = self.inner(x)
        return y


class _PairModule(nn.Module):
    """Any other module with weights of its own: even and odd rows one after the other."""

    def __init__(self, module: nn.Module, moves: dict[str, torch.Tensor], sides: _Sides):
        super().__init__()
        self.plus, self.minus = copy.deepcopy(module), copy.deepcopy(module)
        self.sides = sides
        with torch.no_grad():
            for name, move in moves.items():
                self.plus.get_parameter(name).add_(move)
                self.minus.get_parameter(name).sub_(move)

    def forward(self, *args: Any, **keywords: Any) -> torch.Tensor:
        halves = [self.sides.split(value) for value in (*args, *keywords.values())]
        outputs = []
        for side, module in enumerate((self.plus, self.minus)):
            mine = [half[side] for half in halves]
            outputs.append(module(*mine[: len(args)], **dict(zip(keywords, mine[len(args) :], strict=True))))
        return self.sides.join(*outputs)
