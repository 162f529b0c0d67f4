"""Keys and values of a batch of sequences, each packed from column 0 of its own row."""

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from distillgame.decoding.networks.dual import make_dual, unpack_dual
from distillgame.errors import DistillgameError

GROWTH = 64
"""Columns are allocated in multiples of this number."""


class SlotCache:
    """The keys and values that one network holds for rows that grow, shrink, enter and leave.

    Row i is filled from column 0 to ``lengths[i]``; columns beyond that are never attended to and are overwritten by
    the row's next tokens. A rejected draft is therefore undone by lowering a number, and no row ever has holes.

    Args:
        layers: Number of the network's layers.
        tangents: Whether keys and values are dual numbers, whose tangents are kept beside them.
    """

    def __init__(self, layers: int, tangents: bool = False):
        self.lengths: list[int] = []
        self.layers = [_DualLayer() if tangents else _SlotLayer() for _ in range(layers)]
        self.columns = 0

    @property
    def rows(self) -> int:
        """Number of sequences, B."""
        return len(self.lengths)

    def append(self, source: Cache, padding: list[int]) -> None:
        """Add rows at the end: row i of ``source`` without its first ``padding[i]`` columns.

        Raises:
            DistillgameError: If the network has no keys and values of its own for every layer.
        """
        if len(source.layers) != len(self.layers):
            raise DistillgameError(
                f"the model keeps keys and values of {len(source.layers)} layers but has {len(self.layers)}: "
                "layers that share them are not supported"
            )
        width = source.get_seq_length()
        self.lengths += [width - pad for pad in padding]
        self._reserve(max(self.lengths))
        for layer, new in zip(self.layers, source.layers, strict=True):
            layer.append(self.rows, self.columns, new.keys, new.values, padding)

    def remove(self, row: int) -> None:
        """Drop a row; the last row takes its place."""
        last = self.rows - 1
        if row != last:
            length = self.lengths[last]
            for layer in self.layers:
                layer.move(last, row, length)
            self.lengths[row] = length
        self.lengths.pop()

    def truncate(self, row: int, length: int) -> None:
        """Forget all but the first ``length`` tokens of a row."""
        assert length <= self.lengths[row]
        self.lengths[row] = length

    def begin(self, counts: list[int], width: int, device: torch.device) -> tuple[Cache, torch.Tensor, int]:
        """Prepare a pass that reads ``counts[i]`` new tokens of row i, padded on the right to ``width``.

        Returns:
            The network's ``past_key_values``; the new tokens' positions, shape (B, width); and the number of columns
            that attention sees.
        """
        self._reserve(max(self.lengths) + width)
        seen = max(length + count for length, count in zip(self.lengths, counts, strict=True))
        positions = torch.tensor(self.lengths, device=device)[:, None] + torch.arange(width, device=device)
        # Rows of one length are written as one piece, others position by position.
        even = len(set(self.lengths)) == 1
        start = self.lengths[0]
        where = slice(start, start + width) if even else (torch.arange(self.rows, device=device)[:, None], positions)
        for layer in self.layers:
            layer.begin(self.rows, self.columns, seen, where)
        self.lengths = [length + count for length, count in zip(self.lengths, counts, strict=True)]
        return Cache(layers=list(self.layers)), positions, seen

    def _reserve(self, columns: int) -> None:
        if columns > self.columns:
            # Half as much again, so that the copies of a growing cache stay a small part of its work.
            wanted = max(columns, self.columns + self.columns // 2)
            self.columns = -(-wanted // GROWTH) * GROWTH


class _SlotLayer(CacheLayerMixin):  # type: ignore[misc]
    """One layer, stored as (rows, columns, heads, size), so that a row's new tokens are written in one piece."""

    is_sliding = False

    def __init__(self) -> None:
        super().__init__()
        self.is_initialized = True
        self.keys: Any = None
        self.values: Any = None
        self.rows = 0
        self.seen = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Do nothing: the cache reserves the memory."""

    def begin(self, rows: int, columns: int, seen: int, where: Any) -> None:
        """Set where the coming pass writes: the same columns of all rows (a slice), or pairs of rows and columns."""
        self.reserve(rows, columns)
        self.rows, self.seen, self.where = rows, seen, where

    def append(self, rows: int, columns: int, keys: torch.Tensor, values: torch.Tensor, padding: list[int]) -> None:
        """Fill the last ``len(padding)`` of ``rows`` rows from keys and values of shape (N, heads, width, size)."""
        if self.keys is None:
            self.keys, self.values = _empty(keys), _empty(values)
        self.reserve(rows, columns)
        for store, new in ((self.keys, keys), (self.values, values)):
            for i, pad in enumerate(padding):
                store[rows - len(padding) + i, : new.shape[2] - pad] = new[i, :, pad:].transpose(0, 1)

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for ``rows`` x ``columns`` tokens, keeping those already stored."""
        if rows > self.keys.shape[0] or columns > self.keys.shape[1]:
            rows = max(rows, self.keys.shape[0])
            self.keys, self.values = (_enlarged(part, rows, columns) for part in (self.keys, self.values))

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` tokens of a row over another row."""
        self.keys[target, :length] = self.keys[source, :length]
        self.values[target, :length] = self.values[source, :length]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **keywords: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new tokens of every row, shape (B, heads, width, size), and return all visible ones."""
        for store, new in ((self.keys, key_states), (self.values, value_states)):
            if isinstance(self.where, slice):
                store[: self.rows, self.where] = new.transpose(1, 2)
            else:
                store[self.where] = new.transpose(1, 2)
        return tuple(store[: self.rows, : self.seen].transpose(1, 2) for store in (self.keys, self.values))

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of visible columns and the first of them."""
        return self.seen, 0

    def get_seq_length(self) -> int:
        """Return the number of columns before the new tokens."""
        return self.seen

    def get_max_length(self) -> int:
        """Return -1: there is no maximum."""
        return -1


class _DualLayer(_SlotLayer):
    """A layer of dual numbers: primal parts in this layer, tangents in another."""

    def __init__(self) -> None:
        super().__init__()
        self.tangent = _SlotLayer()

    def begin(self, rows: int, columns: int, seen: int, where: Any) -> None:
        super().begin(rows, columns, seen, where)
        self.tangent.begin(rows, columns, seen, where)

    def append(self, rows: int, columns: int, keys: torch.Tensor, values: torch.Tensor, padding: list[int]) -> None:
        (keys, dk), (values, dv) = unpack_dual(keys), unpack_dual(values)
        super().append(rows, columns, keys, values, padding)
        self.tangent.append(rows, columns, dk, dv, padding)

    def move(self, source: int, target: int, length: int) -> None:
        super().move(source, target, length)
        self.tangent.move(source, target, length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **keywords: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        (keys, dk), (values, dv) = unpack_dual(key_states), unpack_dual(value_states)
        primal, tangent = super().update(keys, values), self.tangent.update(dk, dv)
        return make_dual(primal[0], tangent[0]), make_dual(primal[1], tangent[1])


def _empty(like: torch.Tensor) -> torch.Tensor:
    _, heads, _, size = like.shape
    return torch.zeros(0, 0, heads, size, dtype=like.dtype, device=like.device)


def _enlarged(store: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    larger = torch.zeros(rows, columns, *store.shape[2:], dtype=store.dtype, device=store.device)
    larger[: store.shape[0], : store.shape[1]] = store
    return larger
