"""Drawing the tokens of many positions under a policy, and measuring the distributions they are drawn from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from distillgame.decoding.drawing.race import race
from distillgame.decoding.drawing.sampler import accept, draw_weighted, residual
from distillgame.decoding.drawing.streams import ACCEPT, DRAFT, TOKEN
from distillgame.decoding.drawing.truncated import Truncated
from distillgame.decoding.request import SamplingParams
from distillgame.policies import Distribution, Experts, Release, ReleasePolicy, release, weighted_mean
from distillgame.policies.seeds import Seeds


@dataclass(frozen=True)
class Proposal:
    """Tokens drawn from the draft distribution at N positions.

    Attributes:
        tokens: Teacher ids, shape (N,).
        facts: The draft distribution's probability of each token, after truncation, and the weighted mean over proxies
            of the normaliser of their tempered logits, shape (2, N); nan for greedy ones.
    """

    tokens: torch.Tensor
    facts: torch.Tensor


@dataclass(frozen=True)
class Decisions:
    """Tokens drawn at N positions; iterating gives the :class:`Decision` of each.

    Attributes:
        tokens: Teacher ids, shape (N,).
        accepted: Whether the token is the one that the draft distribution proposed, shape (N,).
        broken: Whether logits were not finite numbers, so that the token means nothing, shape (N,).
        measures: log pi_rel, log pi_ref and log pi_stu of the token (the weighted mean over proxies; nan where there is
            none), KL(pi_rel‖pi_ref) and KL(pi_ref‖pi_rel), shape (5, N).
        likeliest: The likeliest released tokens and their log-probabilities, shape (N, K) each; K is 0 unless they
            were asked for.
    """

    tokens: torch.Tensor
    accepted: torch.Tensor
    broken: torch.Tensor
    measures: torch.Tensor
    likeliest: tuple[torch.Tensor, torch.Tensor]

    def __iter__(self) -> "Iterator[Decision]":
        ids, logprobs = self.likeliest
        columns = (self.tokens, self.accepted, self.broken, self.measures.T, ids, logprobs)
        return (Decision(*row) for row in zip(*(column.tolist() for column in columns), strict=True))


@dataclass(frozen=True)
class Decision:
    """A token drawn at one position; fields as in :class:`Decisions`."""

    token: int
    accepted: bool
    broken: bool
    measures: list[float]
    top_ids: list[int]
    top_logprobs: list[float]


class Chooser:
    """Draws tokens from a policy's released distribution, by way of its draft distribution where there are proxies.

    A token is proposed from the draft distribution q and accepted or replaced so that it follows the released
    distribution p exactly, whether the proposal was made ahead of time (speculation) or just now. A trace therefore
    does not depend on the number of tokens drafted ahead.

    Args:
        policy: The release policy.
        shared: Ids of the tokens that the proxies share, shape (S,), or None where all are.
    """

    def __init__(self, policy: ReleasePolicy, shared: torch.Tensor | None):
        self.policy, self.shared = policy, shared

    def draft(self, experts: Experts, params: SamplingParams, uniforms: torch.Tensor, greedy: bool) -> Proposal:
        """Propose tokens without the teacher; ``experts.teacher`` is not read.

        Args:
            experts: The proxies' logits, shape (N, S), and derivatives where the policy needs them.
            params: Temperature, top-p and top-k.
            uniforms: Random numbers by purpose, shape (N, 3).
            greedy: Take the likeliest token.
        """
        proxies, proposed = self._proxy_side(experts)
        if greedy or params.temperature == 0:
            tokens = proposed.logits.argmax(-1)
            facts = proposed.logits.new_full((2, len(tokens)), torch.nan)
        else:
            kept = Truncated(proposed, params)
            tokens = self._draw(kept, self._over_shared(experts).seeds, uniforms[:, DRAFT])
            normaliser = weighted_mean([proxy.normaliser for proxy in proxies], self.policy.weights)
            facts = torch.stack([kept.probability(tokens), normaliser.squeeze(-1)])
        return Proposal(tokens if self.shared is None else self.shared[tokens], facts)

    def choose(
        self,
        experts: Experts,
        params: SamplingParams,
        uniforms: torch.Tensor,
        greedy: bool,
        proposal: Proposal | None = None,
    ) -> Decisions:
        """Draw tokens.

        Args:
            experts: The experts' logits at N positions; without proxies, tokens are drawn directly.
            params: Temperature, top-p and top-k.
            uniforms: Random numbers by purpose, shape (N, 3).
            greedy: Take the likeliest token of the released distribution.
            proposal: The proposal of :meth:`draft` for these positions, if there is one.
        """
        if proposal is None and experts.proxies:
            proposal = self.draft(experts, params, uniforms, greedy)
        result = release(self.policy, experts, self.shared)
        if greedy or params.temperature == 0:
            tokens = result.released.logits.argmax(-1)
        elif proposal is None:
            tokens = self._draw(Truncated(result.released, params), experts.seeds, uniforms[:, TOKEN])
        else:
            tokens = self._judge(result.released, experts, params, uniforms, proposal)
        accepted = torch.zeros_like(tokens, dtype=torch.bool) if proposal is None else tokens == proposal.tokens
        measures = self._measure(result, experts, proposal, tokens)
        # One number that is none makes all of its row's log-probabilities so, the drawn token's too.
        broken = ~measures[0].isfinite() | measures[1].isnan()
        return Decisions(tokens, accepted, broken, measures, _likeliest(result.released, params.top_logprobs))

    def _judge(
        self,
        released: Distribution,
        experts: Experts,
        params: SamplingParams,
        uniforms: torch.Tensor,
        proposal: Proposal,
    ) -> torch.Tensor:
        """Accept proposed tokens or replace them, at marked positions by races; return the tokens, (N,)."""
        kept, tokens = Truncated(released, params), proposal.tokens
        accepted = accept(kept.probability(tokens), proposal.facts[0], uniforms[:, ACCEPT])
        seeds = experts.seeds if self.policy.races else None
        if seeds is not None:
            tokens = _race(tokens, kept, seeds)
            accepted |= seeds.marked
        rows = (~accepted).nonzero().squeeze(-1)
        if len(rows) == 0:
            return tokens
        proposed = Truncated(self._proxy_side(experts.rows(rows))[1], params).probabilities()
        if self.shared is not None:
            proposed = torch.zeros_like(experts.teacher[rows]).index_copy_(-1, self.shared, proposed)
        rest = residual(kept.probabilities(rows), proposed)
        return tokens.index_copy(0, rows, draw_weighted(rest, uniforms[rows, TOKEN]))

    def _draw(self, kept: Truncated, seeds: Seeds | None, uniform: torch.Tensor) -> torch.Tensor:
        """Draw tokens, at marked positions by races if the policy has it so, (N,)."""
        tokens = kept.draw(uniform)
        return tokens if seeds is None or not self.policy.races else _race(tokens, kept, seeds)

    def _over_shared(self, experts: Experts) -> Experts:
        """Return experts whose columns are the shared tokens, as the proxies' logits are."""
        if self.shared is None or experts.seeds is None:
            return experts
        return replace(experts, seeds=replace(experts.seeds, tokens=self.shared))

    def _proxy_side(self, experts: Experts) -> tuple[list[Distribution], Distribution]:
        """Return the distributions of the proxies and the draft distribution, over the shared tokens."""
        proxies = [Distribution(proxy, experts.temperature) for proxy in experts.proxies]
        logits = self.policy.draft(self._over_shared(experts))
        is_one = logits is experts.proxies[0]
        return proxies, proxies[0] if is_one else Distribution(logits, experts.temperature)

    def _measure(
        self, result: Release, experts: Experts, proposal: Proposal | None, tokens: torch.Tensor
    ) -> torch.Tensor:
        ours = result.released.logprob(tokens)
        reference = ours if self.policy.is_neutral(experts.temperature) else result.reference.logprob(tokens)
        theirs = torch.full_like(ours, torch.nan)
        if proposal is not None and experts.proxies and experts.temperature > 0:
            place = tokens
            if self.shared is not None:
                place = torch.searchsorted(self.shared, tokens).clamp(max=len(self.shared) - 1)
            logits = [proxy.gather(-1, place[:, None]) for proxy in experts.proxies]
            theirs = weighted_mean(logits, self.policy.weights).squeeze(-1) / experts.temperature - proposal.facts[1]
            if self.shared is not None:
                theirs = torch.where(self.shared[place] == tokens, theirs, torch.nan)
        return torch.stack([ours, reference, theirs, result.kl, result.kl_reverse])


def _likeliest(distribution: Distribution, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    logits = distribution.logits
    if count == 0:
        return logits[:, :0].long(), logits[:, :0]
    logprobs, ids = distribution.logprobs.topk(min(count, logits.shape[-1]), dim=-1)
    return ids, logprobs


def _race(tokens: torch.Tensor, kept: Truncated, seeds: Seeds) -> torch.Tensor:
    """Replace the tokens of marked positions by the winners of keyed races."""
    rows = seeds.marked.nonzero().squeeze(-1)
    probabilities = kept.probabilities(rows)
    return tokens.index_copy(0, rows, race(probabilities, seeds.rows(rows).numbers(probabilities.shape[-1])))
