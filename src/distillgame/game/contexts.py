"""The contexts of a game: the probabilities and values of each one's outputs, and its weight."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distillgame.errors import DistillgameError

Array = np.ndarray[Any, np.dtype[np.float64]]
Rows = Array | Sequence[Sequence[float]]
"""One row per context: an array of shape (n, m), or lists of any lengths."""

SUM_TOLERANCE = 1e-6
"""Accepted distance of a row's sum from one; the row is then normalised."""

LARGEST_VALUE = 1e300
"""Largest accepted absolute value: differences of larger ones are infinite."""


@dataclass(frozen=True)
class Contexts:
    """Contexts with ragged outputs, padded.

    Attributes:
        pi: Probabilities of outputs, shape (n, m); 0 where a context has fewer.
        v: Their values, shape (n, m); 0 where ``pi`` is.
        weights: Weights of the contexts, summing to one, shape (n,).
        lengths: Number of outputs of each context.
    """

    pi: Array
    v: Array
    weights: Array
    lengths: tuple[int, ...]

    def releasing(self, pi: Array) -> "Contexts":
        """Return the same contexts with other probabilities, shape (n, m)."""
        return replace(self, pi=pi)

    def ragged(self, values: Array) -> list[list[float]]:
        """Return the rows of an array of shape (n, m) without their padding."""
        return [row[:length].tolist() for row, length in zip(values, self.lengths, strict=True)]

    def mean(self, values: Array) -> float:
        """Return the expectation over contexts of an array of shape (n,), ignoring contexts of weight 0."""
        with np.errstate(invalid="ignore"):
            found = float(self.weights @ values)
        if np.isfinite(found):
            return found
        # It may be a context of weight 0 that has no finite value.
        counted = self.weights > 0
        return float(self.weights[counted] @ values[counted])


def make_contexts(pi: Rows, v: Rows, weights: Sequence[float] | Array | None = None, name: str = "pi_ref") -> Contexts:
    """Check and pad a game's probabilities and values.

    Args:
        pi: Probabilities, one row per context; a single flat row is one context.
        v: Values, of the same shape.
        weights: Weights of the contexts, not negative; equal by default.
        name: The name of the probabilities in messages.

    Raises:
        DistillgameError: If a row is no distribution, an entry no number, or a shape wrong; the message names it.
    """
    probabilities, lengths = _pad(pi, name)
    values, value_lengths = _pad(v, "v")
    if lengths != value_lengths:
        short = f"{len(lengths)} and {len(value_lengths)} contexts"
        for i, (a, b) in enumerate(zip(lengths, value_lengths, strict=False)):
            if a != b:
                short = f"{a} and {b} outputs in context {i}"
                break
        raise DistillgameError(f"{name} and v are of different shapes: {short}")
    inside: Any = np.arange(probabilities.shape[1]) < np.array(lengths)[:, None]
    for what, array in ((name, probabilities), ("v", values)):
        _reject(what, array, inside & ~(np.abs(array) <= LARGEST_VALUE), "must be a finite number")
    _reject(name, probabilities, inside & (probabilities < 0), "must not be negative")
    _reject(name, probabilities, inside & (probabilities > 1 + SUM_TOLERANCE), "must not be above 1")
    sums = probabilities.sum(1)
    for i, total in enumerate(sums):
        if abs(total - 1) > SUM_TOLERANCE:
            raise DistillgameError(f"{name}[{i}]: probabilities must sum to 1 (found {total:.6g})")
    probabilities = probabilities / sums[:, None]
    return Contexts(probabilities, np.where(probabilities > 0, values, 0.0), _weights(weights, len(lengths)), lengths)


def check_budget(name: str, budget: float) -> float:
    """Return a KL budget in nats; it may be infinite.

    Raises:
        DistillgameError: If it is no number or below zero.
    """
    number = isinstance(budget, int | float | np.floating) and not isinstance(budget, bool)
    if not number or not budget >= 0:
        raise DistillgameError(f"{name} must be a number of nats, at least 0 (found {budget!r})")
    return _number(name, budget)


def _pad(rows: Rows, name: str) -> tuple[Array, tuple[int, ...]]:
    if isinstance(rows, np.ndarray):
        array = np.atleast_2d(rows.astype(np.float64))
        if array.ndim != 2 or array.size == 0:
            raise DistillgameError(f"{name} must have one row of numbers for each context (found shape {rows.shape})")
        return array, (array.shape[1],) * len(array)
    lists: list[Any] = list(rows)
    if lists and all(isinstance(entry, int | float) for entry in lists):
        lists = [lists]
    if not lists:
        raise DistillgameError(f"{name} must have at least one context")
    for i, row in enumerate(lists):
        if not isinstance(row, Sequence | np.ndarray) or isinstance(row, str) or len(row) == 0:
            raise DistillgameError(f"{name}[{i}]: must be a list of at least one number (found {row!r})")
    lengths = tuple(len(row) for row in lists)
    padded = np.zeros((len(lists), max(lengths)))
    for i, row in enumerate(lists):
        padded[i, : lengths[i]] = [_number(f"{name}[{i}][{j}]", entry) for j, entry in enumerate(row)]
    return padded, lengths


def _number(place: str, entry: Any) -> float:
    if isinstance(entry, bool) or not isinstance(entry, int | float | np.number):
        raise DistillgameError(f"{place}: must be a number (found {str(entry)[:40]!r})")
    try:
        return float(entry)
    except OverflowError as error:
        raise DistillgameError(f"{place}: must be a finite number (found one of {len(str(entry))} digits)") from error


def _reject(name: str, array: Array, wrong: np.ndarray[Any, np.dtype[np.bool_]], rule: str) -> None:
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise DistillgameError(f"{name}[{i}][{j}]: {rule} (found {array[i, j]:g})")


def _weights(weights: Sequence[float] | Array | None, count: int) -> Array:
    if weights is None:
        return np.full(count, 1 / count)
    array = np.array([_number(f"weights[{i}]", weight) for i, weight in enumerate(weights)])
    if array.shape != (count,):
        raise DistillgameError(f"weights must have one number for each of {count} contexts (found {array.size})")
    for i, weight in enumerate(array):
        if not 0 <= weight < np.inf:
            raise DistillgameError(f"weights[{i}]: must be a number of at least 0 (found {weight:g})")
    if array.sum() == 0:
        raise DistillgameError("weights: at least one must be above 0")
    array = array / array.max()  # their sum might overflow
    normalised: Array = array / array.sum()
    return normalised
