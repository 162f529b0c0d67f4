"""The rows of one step: which logits belong to which request, and under which policy they are released."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from distillgame.policies import ReleasePolicy


@dataclass(frozen=True)
class RequestRows:
    """The rows of logits of one request in one step.

    Attributes:
        policy: The policy under which its tokens are released.
        temperature: Its sampling temperature.
        count: Number of rows: one, and one more per draft that is checked.
        account: The name under which the costs of its tokens are kept; None if they are not.
        top: Number of likeliest tokens that are kept with them.
        keys: A key per position of the completion, for a policy that draws at random; None for others.
        position: Position of the first row in the completion.
    """

    policy: ReleasePolicy
    temperature: float
    count: int = 1
    account: str | None = None
    top: int = 0
    keys: np.ndarray | None = None
    position: int = 0


@dataclass(frozen=True)
class StepRows:
    """The rows of all requests in one step, in the order of the logits.

    Attributes:
        requests: The requests.
    """

    requests: Sequence[RequestRows]

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(request.count for request in self.requests)

    @property
    def keys(self) -> list[int]:
        """A key per row; 0 where the policy draws nothing."""
        found: list[int] = []
        for request in self.requests:
            keys, first = request.keys, request.position
            found += [0] * request.count if keys is None else keys[first : first + request.count].tolist()
        return found

    def groups(self) -> Iterator[tuple[ReleasePolicy, float, list[int]]]:
        """Yield the rows that are released alike: their policy, their temperature and their places."""
        places: dict[tuple[int, float], list[int]] = {}
        policies: dict[int, ReleasePolicy] = {}
        row = 0
        for request in self.requests:
            policies[id(request.policy)] = request.policy
            key = (id(request.policy), request.temperature)
            places.setdefault(key, []).extend(range(row, row + request.count))
            row += request.count
        for (policy, temperature), rows in places.items():
            yield policies[policy], temperature, rows


class NextRows:
    """The rows of the step in progress, told by the model's runner and used once.

    Logits that nobody announced, those of a trial run, of prompt log-probabilities or of a runner that is not known,
    are released under the strictest policy.
    """

    def __init__(self) -> None:
        self._rows: StepRows | None = None

    def announce(self, rows: StepRows | None) -> None:
        """Note the rows of the logits that are computed next.

        Args:
            rows: The rows; None if they are nobody's.
        """
        self._rows = rows

    def take(self, count: int) -> StepRows | None:
        """Return the rows of the logits being computed, and forget them; None if they are nobody's.

        Args:
            count: Number of rows of logits.

        Raises:
            RuntimeError: If another number was announced, so that rows might be taken for another request's.
        """
        rows, self._rows = self._rows, None
        if rows is not None and rows.count != count:
            raise RuntimeError(f"distillgame: {count} rows of logits where {rows.count} were announced")
        return rows
