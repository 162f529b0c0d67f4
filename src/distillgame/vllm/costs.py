"""The costs of tokens sampled by vLLM: the same measures as our own engine's, per token."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from distillgame.policies import Distribution, Experts, Release, ReleasePolicy, weighted_mean
from distillgame.vllm.rows import StepRows

MEASURES = 5
"""Number of a token's measures: log pi_rel, log pi_ref, log pi_stu, KL(pi_rel‖pi_ref) and KL(pi_ref‖pi_rel)."""


@dataclass(frozen=True)
class SampledToken:
    """A sampled token with its costs.

    Attributes:
        token: Its id.
        measures: Its :data:`MEASURES`, as :class:`distillgame.decoding.drawing.chooser.Decision` has them.
        top_ids: The likeliest released tokens at its place.
        top_logprobs: Their released log-probabilities.
    """

    token: int
    measures: tuple[float, ...]
    top_ids: tuple[int, ...] = ()
    top_logprobs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measured:
    """The release of some rows of one step.

    Attributes:
        index: The rows, shape (R,).
        result: Their distributions.
        experts: What the policy was asked about.
        policy: The policy.
        shared: Ids of the shared tokens, or None where all are.
    """

    index: torch.Tensor
    result: Release
    experts: Experts
    policy: ReleasePolicy
    shared: torch.Tensor | None

    def measures(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the measures of one token per row, shape (5, R), from their ids, shape (R,)."""
        ours, reference = self.result.released.logprob(tokens), self.result.reference.logprob(tokens)
        return torch.stack([ours, reference, self._proxies(tokens, ours), self.result.kl, self.result.kl_reverse])

    def top(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return released log-probabilities and ids of the likeliest tokens, shape (R, count) each."""
        logprobs = self.result.released.logprobs
        found = logprobs.topk(min(count, logprobs.shape[-1]), dim=-1)
        return found.values, found.indices

    def _proxies(self, tokens: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        temperature, place = self.experts.temperature, tokens
        if temperature == 0 or len(self.experts.proxies) < len(self.policy.weights):
            return torch.full_like(like, torch.nan)
        if self.shared is not None:
            place = torch.searchsorted(self.shared, tokens).clamp(max=len(self.shared) - 1)
        found = [Distribution(proxy, temperature).logprob(place) for proxy in self.experts.proxies]
        result = weighted_mean(found, self.policy.weights)
        return result if self.shared is None else torch.where(self.shared[place] == tokens, result, torch.nan)


class Costs:
    """The costs of the requests that keep an account, until somebody asks."""

    def __init__(self) -> None:
        self._pending: tuple[StepRows, Sequence[Measured]] | None = None
        self._kept: dict[str, list[torch.Tensor]] = {}

    def note(self, rows: StepRows, parts: Sequence[Measured]) -> None:
        """Note how the logits of a step were released, before tokens are sampled from them."""
        kept = any(request.account is not None for request in rows.requests)
        self._pending = (rows, parts) if kept else None

    def sampled(self, tokens: torch.Tensor, partial: Sequence[bool]) -> None:
        """Add the costs of what was sampled in this step; nothing is moved from the device yet.

        Args:
            tokens: Ids of the tokens by request, shape (requests, most per request), negative where there is none.
            partial: For each request whether its prompt was not read whole, so that its token is dropped.
        """
        if self._pending is None:
            return
        (rows, parts), self._pending = self._pending, None
        most = max(request.top for request in rows.requests)
        flat = torch.full((rows.count,), -1, device=tokens.device, dtype=torch.long)
        places, row = [], 0
        for i, request in enumerate(rows.requests):
            count = min(request.count, tokens.shape[1])
            flat[row : row + count] = tokens[i, :count]
            places.append((row, row + count))
            row += request.count
        # Columns: the token, its measures, the likeliest tokens and their log-probabilities.
        table = torch.full((rows.count, 1 + MEASURES + 2 * most), torch.nan, device=tokens.device, dtype=torch.float64)
        table[:, 0] = flat
        for part in parts:
            table[part.index, 1 : 1 + MEASURES] = part.measures(flat[part.index].clamp(min=0)).T.double()
            if most:
                logprobs, ids = part.top(most)
                table[part.index, 1 + MEASURES : 1 + MEASURES + ids.shape[1]] = ids.double()
                table[part.index, 1 + MEASURES + most : 1 + MEASURES + most + ids.shape[1]] = logprobs.double()
        for request, (start, end), dropped in zip(rows.requests, places, partial, strict=True):
            if request.account is not None and not dropped:
                top = slice(1 + MEASURES, 1 + MEASURES + request.top)
                after = slice(1 + MEASURES + most, 1 + MEASURES + most + request.top)
                own = [table[start:end, : 1 + MEASURES], table[start:end, top], table[start:end, after]]
                self._kept.setdefault(request.account, []).append(torch.cat(own, 1))

    def take(self, accounts: Iterable[str]) -> dict[str, list[SampledToken]]:
        """Return the tokens in some accounts since they were last taken, in order, and forget them.

        Args:
            accounts: Names of accounts.
        """
        found = {}
        for account in accounts:
            if parts := self._kept.pop(account, None):
                rows = torch.cat(parts).tolist()
                found[account] = [_token(row) for row in rows if row[0] >= 0]
        return found


def _token(row: list[float]) -> SampledToken:
    rest = row[1 + MEASURES :]
    # A vocabulary may have fewer tokens than were asked for.
    pairs = zip(rest[: len(rest) // 2], rest[len(rest) // 2 :], strict=True)
    top = [(int(i), logprob) for i, logprob in pairs if not math.isnan(i)]
    return SampledToken(
        int(row[0]), tuple(row[1 : 1 + MEASURES]), tuple(i for i, _ in top), tuple(logprob for _, logprob in top)
    )
