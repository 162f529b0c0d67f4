"""One sequence: its tokens, its random stream, its drafts, and when it ends."""

import collections.abc
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from distillgame.decoding.batching.text import TextStream
from distillgame.decoding.drawing.chooser import Decision
from distillgame.decoding.drawing.streams import policy_keys, uniforms
from distillgame.decoding.networks.proxy import Proxy
from distillgame.decoding.request import FinishReason, Request, Sample, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies.seeds import ContextSeeds, Marking
from distillgame.seeding import derive_seed


@dataclass(frozen=True)
class Pointer:
    """A row of a tensor or of a proxy's output; nothing is copied until rows are gathered."""

    source: Any
    row: int


@dataclass(frozen=True)
class Draft:
    """A proposed token that the teacher has not judged yet.

    Attributes:
        token: The teacher's id.
        facts: Its column of :attr:`distillgame.decoding.drawing.chooser.Proposal.facts`.
        proxies: Each proxy's output at the position where it was drawn.
    """

    token: int
    facts: tuple[float, float]
    proxies: tuple[Pointer, ...]


class Sequence:
    """A completion while it is sampled.

    ``teacher_ids`` and each of ``proxy_ids`` hold all certain tokens, prompt included; drafts come after them. How many
    of them a network has read is recorded by its context.

    Attributes:
        valued: Whether decisions say what the proxies make of a token.

    Args:
        handle: The engine's number for it.
        request: The request.
        params: Its sampling parameters.
        seed: Seed of its random stream.
        teacher: The model whose tokens these are.
        proxies: The proxies that read it too, each in its own tokens.
        stream: Whether updates carry text.
        marking: How the policy's marks follow from the tokens; None if it leaves none.
    """

    def __init__(
        self,
        handle: int,
        request: Request,
        params: SamplingParams,
        seed: int,
        teacher: LanguageModel,
        proxies: collections.abc.Sequence[Proxy],
        stream: bool,
        marking: Marking | None = None,
    ):
        self.handle, self.request, self.params = handle, request, params
        self.teacher, self.proxies = teacher, proxies
        self.teacher_ids = _prompt_ids(teacher, request)
        self.proxy_ids = [_proxy_prompt_ids(proxy, request) for proxy in proxies]
        self.lead_in: list[int] = []
        if params.forced_answer_tokens:
            self.lead_in = teacher.tokenizer.encode(request.forced_answer, add_special_tokens=False)
        self.sample = Sample(request.id, prompt_tokens=len(self.teacher_ids))
        self.seed = seed
        self.marks = None if marking is None else self._marks(marking)
        self.text = TextStream(teacher.decode, params.stop) if stream or params.stop else None
        self.valued = bool(proxies)
        self.stop_ids: frozenset[int] = frozenset() if params.ignore_end else teacher.stop_ids
        self.drafts: list[Draft] = []
        self.teacher_logits: Pointer | None = None
        self.proxy_logits: tuple[Pointer, ...] = ()
        self.forced: list[int] | None = None
        self.finished = False
        self.reported = 0
        self.noted = (0, 0)
        self._pending_text = ""

    @cached_property
    def draws(self) -> np.ndarray:
        """Random numbers by position and purpose, drawn on first use: many sequences may be waiting."""
        return uniforms(self.seed, self.request.id, self.params.max_new_tokens)

    @cached_property
    def keys(self) -> np.ndarray:
        """The policy's random keys by position."""
        return policy_keys(self.seed, self.request.id, self.params.max_new_tokens + self.params.forced_answer_tokens)

    @property
    def growth(self) -> int:
        """Largest number of tokens by which the prompt may grow."""
        return self.params.max_new_tokens + len(self.lead_in) + self.params.forced_answer_tokens

    def require_fit(self, token_budget: int, ahead: int) -> None:
        """Check that the prompt is not empty and that the grown sequence fits the contexts and the token budget.

        Args:
            token_budget: The engine's bound on sequences x longest sequence.
            ahead: Number of tokens by which drafts may exceed the sequence.

        Raises:
            DistillgameError: If one of these does not hold.
        """
        name = self.request.id
        if not all([self.teacher_ids, *self.proxy_ids]):
            raise DistillgameError(f"request '{name}': the prompt is empty")
        sides = [("teacher", self.teacher_ids, self.teacher.context)]
        sides += [("proxy", ids, proxy.model.context) for proxy, ids in zip(self.proxies, self.proxy_ids, strict=True)]
        for role, prompt, limit in sides:
            if len(prompt) + self.growth > limit:
                raise DistillgameError(
                    f"request '{name}': its prompt of {len(prompt)} tokens and {self.growth} new ones do not fit the "
                    f"{role}'s context of {limit}: shorten it or lower max_new_tokens"
                )
        longest = len(self.teacher_ids) + self.growth
        if longest + ahead > token_budget:
            raise DistillgameError(f"request '{name}': {longest} tokens do not fit the token budget of {token_budget}")

    @property
    def greedy(self) -> bool:
        """True if the likeliest released token is taken: at temperature 0, and in a forced answer."""
        return self.forced is not None or self.params.temperature == 0

    @property
    def decided(self) -> int:
        """Number of decided positions after the prompt, without the lead-in of a forced answer."""
        return len(self.sample.token_ids) + len(self.forced or ())

    @property
    def may_draft(self) -> bool:
        """True if another draft could be useful."""
        if self.finished or (self.drafts and self.drafts[-1].token in self.stop_ids):
            return False
        done, limit = len(self.sample.token_ids), self.params.max_new_tokens
        if self.forced is not None:
            done, limit = len(self.forced), self.params.forced_answer_tokens
        return done + len(self.drafts) < limit

    def uniforms(self, position: int) -> np.ndarray:
        """Return the random numbers of a position by purpose, shape (3,); zeros beyond the sampled positions."""
        return self.draws[position] if position < len(self.draws) else np.zeros(3)

    def mark(self, position: int) -> tuple[int, bool]:
        """Return the seed of the mark at a position, which drafts may precede, and whether it is marked."""
        assert self.marks is not None
        drafted = [draft.token for draft in self.drafts[: position - self.decided]]
        return self.marks.at(position, [*self.teacher_ids[-self.marks.width :], *drafted])

    def commit(self, decision: Decision) -> None:
        """Decide the next token."""
        token = decision.token
        self.teacher_ids.append(token)
        for proxy, ids in zip(self.proxies, self.proxy_ids, strict=True):
            ids.extend(proxy.to_proxy(token))
            # A teacher token may be several of the proxy's.
            if len(ids) > (limit := proxy.model.context):
                self.finish("error", f"request '{self.request.id}': it outgrew the proxy's context of {limit} tokens")
                return
        if self.forced is not None:
            self.forced.append(token)
            self.sample.forced_tokens += 1
            if self.text is not None:
                self.text.push(token)
            if token in self.stop_ids or len(self.forced) == self.params.forced_answer_tokens:
                self.finish("length")
            return
        sample = self.sample
        self._record(decision)
        if self.text is not None:
            self.text.push(token)
        if token in self.stop_ids or (self.text is not None and self.text.stopped):
            self.finish("stop")
        elif len(sample.token_ids) == self.params.max_new_tokens:
            if self.params.forced_answer_tokens == 0:
                self.finish("length")
            else:
                self._force_answer()

    def _record(self, decision: Decision) -> None:
        """Append a sampled token and its measurements to the sample."""
        sample = self.sample
        sample.token_ids.append(decision.token)
        sample.accepted += decision.accepted
        released, reference, theirs, kl, kl_reverse = decision.measures
        sample.logprob_released.append(released)
        sample.logprob_reference.append(reference)
        if self.params.top_logprobs:
            sample.top_ids.append(decision.top_ids)
            sample.top_logprobs.append(decision.top_logprobs)
        if self.params.temperature > 0:
            sample.kl.append(kl)
            sample.kl_reverse.append(kl_reverse)
            if self.valued:
                sample.logprob_proxy.append(theirs)

    def finish(self, reason: FinishReason, error: str = "") -> None:
        """End the sequence and complete its sample."""
        self.finished = True
        self.drafts.clear()
        self.teacher_logits, self.proxy_logits = None, ()
        self.__dict__.pop("draws", None)
        self.__dict__.pop("keys", None)
        sample = self.sample
        sample.finish_reason, sample.error = reason, error
        if self.forced is None:
            sample.completion = self._body()
        else:
            sample.completion += self.teacher.decode(self.forced)

    def new_text(self) -> str:
        """Return the text that was added since the last call."""
        if self.text is None:
            return ""
        text = self._pending_text + self.text.take(final=self.finished)
        self._pending_text = ""
        return text

    def _marks(self, marking: Marking) -> ContextSeeds:
        salt = derive_seed(self.seed, self.request.id, "salt") % marking.salts
        return ContextSeeds(marking, self.teacher_ids, self.request.mark_key, salt)

    def _body(self) -> str:
        if self.params.stop and self.text is not None:
            return self.text.whole()
        return self.teacher.decode(self.sample.token_ids)

    def _force_answer(self) -> None:
        """Append the forced-answer text; greedy tokens of the released distribution follow it."""
        self.sample.completion = self._body() + self.request.forced_answer
        self.teacher_ids += self.lead_in
        for proxy, ids in zip(self.proxies, self.proxy_ids, strict=True):
            ids.extend(read for token in self.lead_in for read in proxy.to_proxy(token))
        self.forced = []
        self.sample.forced_tokens = len(self.lead_in)
        if self.text is not None:
            self._pending_text += self.text.take(final=True) + self.request.forced_answer
            self.text = TextStream(self.teacher.decode)


def _prompt_ids(model: LanguageModel, request: Request) -> list[int]:
    if request.prompt is None:
        return model.prompt_ids(request.messages, request.template)
    if isinstance(request.prompt, str):
        return model.text_ids(request.prompt)
    known = len(model.tokenizer)
    for token in request.prompt:
        if not 0 <= token < known:
            raise DistillgameError(f"request '{request.id}': there is no token {token}: ids are below {known}")
    return list(request.prompt)


def _proxy_prompt_ids(proxy: Proxy, request: Request) -> list[int]:
    if isinstance(request.prompt, tuple):
        return [read for token in request.prompt for read in proxy.to_proxy(token)]
    return _prompt_ids(proxy.model, request)


def gather(pointers: list[Pointer]) -> torch.Tensor:
    """Return the rows that ``pointers`` name, shape (N, V), without a copy if they are one whole tensor."""
    source = pointers[0].source
    rows = [pointer.row for pointer in pointers]
    if all(pointer.source is source for pointer in pointers):
        if rows == list(range(source.shape[0])):
            return source  # type: ignore[no-any-return]
        return source[rows]  # type: ignore[no-any-return]
    return torch.stack([pointer.source[pointer.row] for pointer in pointers])
