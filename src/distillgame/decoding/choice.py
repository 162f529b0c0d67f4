"""One position: what is released there, which token is drawn, and what is measured on the way."""

from dataclasses import dataclass

import torch

from distillgame.decoding.request import SamplingParams
from distillgame.decoding.sampler import accept, draw, residual, truncate
from distillgame.decoding.streams import ACCEPT, DRAFT, TOKEN
from distillgame.policies import Experts, Release, ReleasePolicy, release


@dataclass(frozen=True)
class Choice:
    """Tokens drawn at N positions.

    Attributes:
        tokens: Teacher ids, shape (N,).
        accepted: Whether the token is the one that the draft distribution proposed, shape (N,).
        broken: Whether logits were not finite numbers, so that the token means nothing, shape (N,).
        measures: log pi_rel, log pi_ref and log pi_stu of the token (nan where there is none), KL(pi_rel‖pi_ref) and
            KL(pi_ref‖pi_rel), shape (5, N).
    """

    tokens: torch.Tensor
    accepted: torch.Tensor
    broken: torch.Tensor
    measures: torch.Tensor


class Chooser:
    """Draws tokens from a policy's released distribution, by way of its draft distribution where there is a proxy.

    A token is proposed from the draft distribution q and accepted or replaced so that it follows the released
    distribution p exactly, whether the proposal was made ahead of time (speculation) or just now. So a trace does not
    depend on how far ahead was drafted.

    Args:
        policy: The release policy.
        shared: Ids of the tokens that the proxy shares, shape (S,), or None where all are.
    """

    def __init__(self, policy: ReleasePolicy, shared: torch.Tensor | None):
        self.policy, self.shared = policy, shared

    def draft(self, experts: Experts, params: SamplingParams, uniforms: torch.Tensor, greedy: bool) -> torch.Tensor:
        """Propose tokens that do not need the teacher; ``experts.teacher`` is not looked at.

        Args:
            experts: The proxy's logits, shape (N, S), and its derivative where the policy needs it.
            params: Temperature, top-p and top-k.
            uniforms: Random numbers by purpose, shape (N, 3).
            greedy: Take the likeliest token.

        Returns:
            Teacher ids, shape (N,).
        """
        logits = self.policy.draft(experts)
        if greedy or params.temperature == 0:
            choice = logits.argmax(-1)
        else:
            logprobs = torch.log_softmax(logits / params.temperature, -1)
            choice = draw(truncate(logprobs, params.top_p, params.top_k).exp(), uniforms[:, DRAFT])
        return choice if self.shared is None else self.shared[choice]

    def choose(
        self,
        experts: Experts,
        params: SamplingParams,
        uniforms: torch.Tensor,
        greedy: bool,
        drafted: torch.Tensor | None = None,
    ) -> Choice:
        """Draw tokens.

        Args:
            experts: What the experts say, N positions; without a proxy tokens are drawn directly.
            params: Temperature, top-p and top-k.
            uniforms: Random numbers by purpose, shape (N, 3).
            greedy: Take the likeliest token of what is released.
            drafted: What :meth:`draft` proposed at these positions, if it was asked, shape (N,).
        """
        released = release(self.policy, experts, self.shared)
        proxy, drafts = self._proxy_side(experts, params.temperature)
        if greedy or params.temperature == 0:
            tokens = released.released.argmax(-1)
            if drafted is None and experts.proxy is not None:
                drafted = self.draft(experts, params, uniforms, greedy)
            accepted = torch.zeros_like(tokens, dtype=torch.bool) if drafted is None else tokens == drafted
        else:
            kept = truncate(released.released, params.top_p, params.top_k)
            # What truncation leaves has to sum to one again before p and q can be compared.
            target = released.probabilities if kept is released.released else torch.softmax(kept, -1)
            if drafts is None:
                tokens = draw(target, uniforms[:, TOKEN])
                accepted = torch.zeros_like(tokens, dtype=torch.bool)
            else:
                tokens, accepted = self._speculate(target, drafts, params, uniforms, drafted)
        measures = self._measure(released, proxy, tokens)
        # One number that is none makes all of its row's log-probabilities so, the drawn token's too.
        broken = ~measures[0].isfinite() | measures[1].isnan()
        return Choice(tokens, accepted, broken, measures)

    def _proxy_side(self, experts: Experts, temperature: float) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Log-probabilities of the proxy and of the draft distribution, over the shared tokens."""
        if experts.proxy is None or temperature == 0:
            return None, None
        proxy = torch.log_softmax(experts.proxy / temperature, -1)
        logits = self.policy.draft(experts)
        return proxy, proxy if logits is experts.proxy else torch.log_softmax(logits / temperature, -1)

    def _speculate(
        self,
        target: torch.Tensor,
        drafts: torch.Tensor,
        params: SamplingParams,
        uniforms: torch.Tensor,
        drafted: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        kept = truncate(drafts, params.top_p, params.top_k)
        proposal = kept.exp() if kept is drafts else torch.softmax(kept, -1)
        if drafted is None:
            drafted = draw(proposal, uniforms[:, DRAFT])
            drafted = drafted if self.shared is None else self.shared[drafted]
        if self.shared is not None:
            proposal = torch.zeros_like(target).index_copy_(-1, self.shared, proposal)
        accepted = accept(target, proposal, drafted, uniforms[:, ACCEPT])
        rejected = (~accepted).nonzero().squeeze(-1)
        if len(rejected) == 0:
            return drafted, accepted
        rest = residual(target[rejected], proposal[rejected])
        return drafted.index_copy(0, rejected, draw(rest, uniforms[rejected, TOKEN])), accepted

    def _measure(self, released: Release, proxy: torch.Tensor | None, tokens: torch.Tensor) -> torch.Tensor:
        column = tokens[:, None]
        ours = released.released.gather(-1, column).squeeze(-1)
        theirs = torch.full_like(ours, torch.nan)
        if proxy is not None and self.shared is None:
            theirs = proxy.gather(-1, column).squeeze(-1)
        elif proxy is not None and self.shared is not None:
            place = torch.searchsorted(self.shared, tokens).clamp(max=len(self.shared) - 1)
            found = proxy.gather(-1, place[:, None]).squeeze(-1)
            theirs = torch.where(self.shared[place] == tokens, found, torch.nan)
        reference = released.reference.gather(-1, column).squeeze(-1)
        return torch.stack([ours, reference, theirs, released.kl(), released.kl_reverse()])
