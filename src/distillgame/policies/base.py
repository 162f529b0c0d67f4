"""Release policies: pure functions from the experts' logits to the released logits."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch

from distillgame.errors import DistillgameError
from distillgame.policies.proxies import DEFAULT_PROXIES, Combination, Proxies, normalised, weighted_mean, weights_of
from distillgame.policies.seeds import Marking, Seeds
from distillgame.registry import Registry, option_name


@dataclass(frozen=True)
class Experts:
    """The experts' logits for the next token of B sequences, over one vocabulary of V tokens.

    Attributes:
        teacher: The reference teacher's logits before temperature, float32, shape (B, V).
        temperature: The sampling temperature of the reference teacher, 0 for greedy.
        proxies: Each proxy's logits, aligned to the teacher's tokens, in the order of the policy's ``proxies``, shape
            (B, V) each; empty unless the policy needs them or one drafts.
        deltas: For each proxy the derivative of its log-probabilities along +g, the unit-norm gradient of the
            defender's objective at that proxy, shape (B, V) each; only where the policy needs them.
        keys: One integer per sequence and position with which a policy may seed randomness, length B.
        seeds: The seeds of the positions' marks, B of them; only where the policy leaves marks.
    """

    teacher: torch.Tensor
    temperature: float
    proxies: tuple[torch.Tensor, ...] = ()
    deltas: tuple[torch.Tensor, ...] = ()
    keys: tuple[int, ...] = ()
    seeds: Seeds | None = None

    def select(self, tokens: torch.Tensor) -> "Experts":
        """Return the same experts with the teacher's logits restricted to ``tokens``, as the others' already are."""
        seeds = None if self.seeds is None else replace(self.seeds, tokens=tokens)
        return replace(self, teacher=self.teacher[:, tokens], seeds=seeds)

    def rows(self, rows: slice | torch.Tensor) -> "Experts":
        """Return the same experts for some of the sequences, a slice or indices of shape (R,)."""
        chosen = range(len(self.keys))[rows] if isinstance(rows, slice) else rows.tolist() if self.keys else ()
        return Experts(
            self.teacher[rows],
            self.temperature,
            tuple(proxy[rows] for proxy in self.proxies),
            tuple(delta[rows] for delta in self.deltas),
            tuple(self.keys[i] for i in chosen),
            None if self.seeds is None else self.seeds.rows(rows),
        )


@dataclass(frozen=True)
class Knob:
    """The parameter by which a policy is made to meet a budget.

    Attributes:
        parameter: Its name.
        most: Its largest value; the search goes upwards from the neutral value, at which the policy changes nothing.
        first: A first guess at the distance from the neutral value.
        from_temperature: Whether the neutral value is the reference teacher's temperature; otherwise it is 0.
    """

    parameter: str
    most: float = float("inf")
    first: float = 0.1
    from_temperature: bool = False

    def neutral(self, temperature: float) -> float:
        """Return the value at which the policy changes nothing, for a teacher sampled at ``temperature``."""
        return temperature if self.from_temperature else 0.0


class ReleasePolicy(ABC):
    """A defense. Knows no model, cache or batch.

    Temperature, top-p and top-k are applied to the result by the decoding engine, in one place.

    Attributes:
        name: The registered name.
        needs_proxy: Whether :attr:`Experts.proxies` are required.
        needs_delta: Whether :attr:`Experts.deltas` are required.
        control: Whether the policy is a control rather than a defense anyone would deploy.
        knob: How it is calibrated, or None if it has nothing to calibrate.
        proxies: Names of its proxies, or names with weights; by default only the one called ``proxy``. A policy that
            uses no proxy may still draft from these (speculative decoding).
        combine: How it combines the values of several proxies, or None if it takes their product.
        marking: How its marks follow from the text before them, or None if it leaves none.
        unlabelled: Options that labels do not show: they say which key marks, and nothing about the policy.
        races: Whether the engine draws tokens by a race of keyed numbers (:mod:`distillgame.decoding.drawing.race`).
    """

    name: ClassVar[str]
    needs_proxy: bool = False
    needs_delta: bool = False
    control: ClassVar[bool] = False
    knob: ClassVar[Knob | None] = None
    proxies: Proxies = DEFAULT_PROXIES
    combine: Combination | None = None
    marking: Marking | None = None
    unlabelled: ClassVar[tuple[str, ...]] = ()
    races: ClassVar[bool] = False

    @abstractmethod
    def logits(self, experts: Experts) -> torch.Tensor:
        """Return released logits before temperature, shape (B, V)."""

    def is_neutral(self, temperature: float) -> bool:
        """Return whether the policy changes nothing for a teacher sampled at ``temperature``.

        The engine then neither asks for released logits nor compares them. False is always correct.
        """
        return False

    @property
    def parameters(self) -> Mapping[str, float]:
        """The numbers that set how hard it defends, by published name: its dataclass fields except those on proxies."""
        names: list[str] = [field.name for field in fields(self)] if is_dataclass(self) else []
        return {option_name(name): getattr(self, name) for name in names if name not in ("proxies", "combine")}

    @property
    def uses_proxies(self) -> bool:
        """True if released logits depend on proxies or on their derivatives."""
        return self.needs_proxy or self.needs_delta

    @property
    def proxy_names(self) -> tuple[str, ...]:
        """Names of the proxies that it uses, in order; empty if it uses none."""
        return tuple(self.proxies) if self.uses_proxies else ()

    @cached_property
    def proxy_weights(self) -> Mapping[str, float]:
        """The proxies' weights as given, by name; equal where only names were given."""
        return weights_of(self.proxies)

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """The proxies' weights, in order, which sum to one."""
        return normalised(self.proxy_weights)

    def draft(self, experts: Experts) -> torch.Tensor:
        """Return logits that need no teacher and resemble the released ones, shape (B, V), for speculative decoding.

        They decide how many drafts are accepted, never which tokens are released. By default they are the logits that
        the policy would release if the teacher were the proxies' product.
        """
        return self.logits(replace(experts, teacher=self.product(experts.proxies)))

    def product(self, proxies: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the logits of the proxies' weighted product, (B, V); those of a single proxy as they are."""
        return weighted_mean(proxies, self.weights)


policies: Registry[ReleasePolicy] = Registry("policy", "distillgame.policies")


def make_policy(name: str, options: Mapping[str, Any] | None = None) -> ReleasePolicy:
    """Make the policy called ``name``.

    Raises:
        DistillgameError: If the name, an option's name or its value is not acceptable.
    """
    return policies.make(name, options or {})


def require_range(policy: str, parameter: str, value: float, low: float, high: float = float("inf")) -> None:
    """Check that ``value`` is a finite number with ``low <= value <= high``.

    Raises:
        DistillgameError: If it is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or value == float("inf"):
        bounds = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        raise DistillgameError(f"policy '{policy}': {parameter} must be a number {bounds} (found {value!r})")
