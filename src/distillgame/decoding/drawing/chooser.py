"""Drawing the tokens of many positions under a policy, and measuring the distributions they are drawn from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from distillgame.decoding.drawing.race import race
from distillgame.decoding.drawing.sampler import accept, draw, draw_weighted, residual, truncate
from distillgame.decoding.drawing.streams import ACCEPT, DRAFT, TOKEN
from distillgame.decoding.request import SamplingParams
from distillgame.policies import Distribution, Experts, Release, ReleasePolicy, release, weighted_mean


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
            tokens, probability = self._draw(proposed, params, uniforms[:, DRAFT])
            tokens = self._raced(tokens, proposed, self._over_shared(experts), params)
            normaliser = weighted_mean([proxy.normaliser for proxy in proxies], self.policy.weights)
            facts = torch.stack([probability, normaliser.squeeze(-1)])
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
            accepted = torch.zeros_like(tokens, dtype=torch.bool) if proposal is None else tokens == proposal.tokens
        elif proposal is None:
            tokens = self._draw(result.released, params, uniforms[:, TOKEN])[0]
            accepted = torch.zeros_like(tokens, dtype=torch.bool)
        else:
            tokens, accepted = self._judge(result.released, experts, params, uniforms, proposal)
        if self.policy.races and not greedy and params.temperature > 0:
            tokens = self._raced(tokens, result.released, experts, params)
            accepted = accepted if proposal is None else tokens == proposal.tokens
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
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Accept proposed tokens or replace them; return the tokens and which were accepted, (N,) each."""
        tokens = proposal.tokens
        target = None if _is_whole(params) else _truncated(released, params)
        if target is None:
            probability = (released.weights(tokens[:, None]) / released.total).squeeze(-1)
        else:
            probability = target.gather(-1, tokens[:, None]).squeeze(-1)
        accepted = accept(probability, proposal.facts[0], uniforms[:, ACCEPT])
        rows = (~accepted).nonzero().squeeze(-1)
        if len(rows) == 0:
            return tokens, accepted
        proposed = _truncated(self._proxy_side(experts.rows(rows))[1], params)
        if self.shared is not None:
            proposed = torch.zeros_like(experts.teacher[rows]).index_copy_(-1, self.shared, proposed)
        rest = residual(_truncated(released.rows(rows), params) if target is None else target[rows], proposed)
        return tokens.index_copy(0, rows, draw_weighted(rest, uniforms[rows, TOKEN])), accepted

    def _draw(
        self, distribution: Distribution, params: SamplingParams, uniform: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw tokens; return them and their probabilities after truncation, (N,) each."""
        if _is_whole(params):
            tokens = draw(distribution, uniform)
            return tokens, (distribution.weights(tokens[:, None]) / distribution.total).squeeze(-1)
        kept = _truncated(distribution, params)
        tokens = draw_weighted(kept, uniform)
        return tokens, kept.gather(-1, tokens[:, None]).squeeze(-1)

    def _raced(
        self, tokens: torch.Tensor, distribution: Distribution, experts: Experts, params: SamplingParams
    ) -> torch.Tensor:
        """Replace the tokens of marked positions by the winners of keyed races, if the policy has it so."""
        seeds = experts.seeds
        if not self.policy.races or seeds is None:
            return tokens
        rows = seeds.marked.nonzero().squeeze(-1)
        if len(rows) == 0:
            return tokens
        probabilities = _truncated(distribution.rows(rows), params)
        return tokens.index_copy(0, rows, race(probabilities, seeds.rows(rows).numbers(probabilities.shape[-1])))

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


def _is_whole(params: SamplingParams) -> bool:
    return params.top_p >= 1 and params.top_k == 0


def _truncated(distribution: Distribution, params: SamplingParams) -> torch.Tensor:
    """Return probabilities after truncation, shape (N, V)."""
    whole = distribution.probabilities
    kept = truncate(whole, params.top_p, params.top_k)
    # What truncation leaves has to sum to one again before p and q can be compared.
    return whole if kept is whole else kept.div_(kept.sum(-1, keepdim=True))
