"""The engine: samples any number of completions under a release policy, with continuous batching."""

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import count

import torch

from distillgame.decoding.batching import Batch, Counters, Scheduler, Sequence
from distillgame.decoding.drawing import Chooser
from distillgame.decoding.networks import DerivativeName, make_proxies, require_independent_rows
from distillgame.decoding.request import Request, Sample, SamplingParams, Update
from distillgame.decoding.speculation import MAX_DRAFTS, Calibration, Drafter, calibrate
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import ReleasePolicy
from distillgame.values import Direction

TOKEN_BUDGET = 65_536
"""Default bound on sequences x longest sequence, in tokens."""


class Engine:
    """Samples from a teacher under a release policy.

    Use :meth:`generate` for a list of requests; :meth:`add`, :meth:`step` and :meth:`cancel` for requests that come and
    go.

    Args:
        teacher: The reference teacher.
        policy: The release policy.
        proxies: The defender's proxies by name; those that the policy names are used, if it needs any or they draft.
        directions: The defender's unit-norm gradient at each proxy, by name, if the policy needs derivatives.
        derivative: How derivatives are computed: ``low_rank``, ``jvp`` or ``central``.
        batch_size: Most sequences that are decoded together.
        token_budget: Bound on sequences x longest sequence, in tokens, and so on the memory of keys and values.
        speculative: Let the proxies draft several tokens for the teacher to judge at once, when that is faster. The
            released distribution is the same, and so is every trace, except for floating-point rounding of the logits.
        calibration: The costs of passes on this machine; measured on first use if not given.

    Raises:
        DistillgameError: If an expert that the policy needs is missing or does not fit the teacher, or if a row of a
            model's batches would depend on the others.
    """

    def __init__(
        self,
        teacher: LanguageModel,
        policy: ReleasePolicy,
        *,
        proxies: Mapping[str, LanguageModel] | None = None,
        directions: Mapping[str, Direction] | None = None,
        derivative: DerivativeName = "low_rank",
        batch_size: int = 64,
        token_budget: int = TOKEN_BUDGET,
        speculative: bool = False,
        calibration: Calibration | None = None,
    ):
        require_independent_rows(teacher.model)
        self.teacher, self.policy = teacher, policy
        self.calibration = calibration
        self.speculative = speculative
        self.proxies = make_proxies(teacher, policy, proxies or {}, directions or {}, derivative, speculative)
        self.scheduler = Scheduler(batch_size, token_budget)
        self._handles = count()
        self._cancelled: set[int] = set()
        self._drafter: Drafter | None = None
        self._start()

    @property
    def counters(self) -> Counters:
        """Passes and tokens so far."""
        return self._batch.counters

    @property
    def busy(self) -> bool:
        """True if any sequence is waiting or running."""
        return bool(self.scheduler.waiting or self.scheduler.running)

    def generate(
        self,
        requests: Iterable[Request],
        params: SamplingParams,
        seed: int = 0,
        on_sample: Callable[[Sample], None] | None = None,
        on_update: Callable[[Update], None] | None = None,
    ) -> list[Sample]:
        """Sample one completion for each request.

        A completion depends on its request, the policy, ``params`` and ``seed``. The batch it shares, and the number of
        tokens drafted ahead, affect it only through floating-point rounding of the logits.

        Args:
            requests: The requests.
            params: Sampling parameters of requests without their own.
            seed: Seed of every request's random stream.
            on_sample: Called with each sample when it is finished.
            on_update: Called with each sequence's progress in each step, text included.

        Returns:
            Samples in the order of ``requests``.

        Raises:
            DistillgameError: If a prompt is empty or too long, before anything is sampled; or if a model yields logits
                that are not numbers, after all other requests are finished and passed to ``on_sample``.
        """
        sequences = [self._sequence(request, params, seed, on_update is not None) for request in requests]
        self.scheduler.waiting.extend(sequences)
        left = {s.handle for s in sequences}
        try:
            while left:
                for update in self.step():
                    if update.finished:
                        left.discard(update.handle)
                    if on_update is not None:
                        on_update(update)
                    if update.finished and on_sample is not None and update.sample.finish_reason != "error":
                        on_sample(update.sample)
        except BaseException:
            self._abandon()
            raise
        if failed := [s.sample for s in sequences if s.sample.finish_reason == "error"]:
            others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise DistillgameError(f"{failed[0].error}{others}")
        return [s.sample for s in sequences]

    def add(self, request: Request, params: SamplingParams | None = None, seed: int = 0, stream: bool = True) -> int:
        """Queue a request.

        Args:
            request: The request.
            params: Its sampling parameters, if it has none of its own.
            seed: Seed of its random stream.
            stream: Whether updates carry text.

        Returns:
            A handle that its updates carry.

        Raises:
            DistillgameError: If its prompt is empty or too long; other sequences are unaffected.
        """
        return self.enqueue(self.prepare(request, params, seed, stream))

    def prepare(
        self, request: Request, params: SamplingParams | None = None, seed: int = 0, stream: bool = True
    ) -> Sequence:
        """Tokenise and check a request: the slow part of :meth:`add`, safe outside the thread that steps.

        Raises:
            DistillgameError: If the prompt is empty or too long.
        """
        return self._sequence(request, params or SamplingParams(), seed, stream)

    def enqueue(self, sequence: Sequence) -> int:
        """Queue a prepared sequence and return its handle."""
        self.scheduler.waiting.append(sequence)
        return sequence.handle

    def cancel(self, handle: int) -> None:
        """Stop a sequence at the next step; its last update says ``cancelled``. Unknown handles are ignored."""
        self._cancelled.add(handle)

    @torch.inference_mode()
    def step(self) -> list[Update]:
        """Advance every running sequence, admit waiting ones, and return the updates."""
        finished: list[Sequence] = []

        def leave(sequences: list[Sequence]) -> None:
            self._batch.remove(s for s in sequences if s in self._batch.rows)
            self.scheduler.drop(sequences)
            finished.extend(sequences)

        self._cancel(leave)
        if admitted := self.scheduler.admit():
            self._batch.admit(admitted)
        if self._batch.rows:
            self._advance(leave)
        return [update for s in (*finished, *self.scheduler.running) if (update := self._update(s)) is not None]

    def calibrate(self, known: Calibration | None = None, sizes: Iterable[int] = (1, 4, 8, 16)) -> Calibration:
        """Measure the costs of passes of teacher and proxies, at several batch sizes.

        Args:
            known: A calibration of the same teacher, whose passes are not timed again where it has them.
            sizes: The batch sizes; larger ones than the engine's count for nothing, and its own is always measured.

        Raises:
            DistillgameError: If there are no proxies.
        """
        if self.proxies is None:
            raise DistillgameError("there is nothing to calibrate without a proxy")
        largest = self.scheduler.batch_size
        chosen = sorted({*(n for n in sizes if n < largest), largest})
        return calibrate(self.teacher, self.proxies, self._batch.chooser, chosen, known)

    def _advance(self, leave: Callable[[list[Sequence]], None]) -> None:
        """Advance the batch by a round, after making room for it."""
        if not self.speculative:
            self._batch.remove(self.scheduler.evict(1))
            self._batch.advance(0, leave)
            return
        if self._drafter is None:
            self.calibration = self.calibration or self.calibrate()
            self._drafter = Drafter(self.calibration)
        for s in self._batch.rows:
            accepted, trials = s.sample.accepted, len(s.sample.token_ids)
            self._drafter.record(accepted - s.noted[0], trials - s.noted[1])
            s.noted = (accepted, trials)
        drafts = self._drafter.drafts([s.noted for s in self._batch.rows])
        self._batch.remove(self.scheduler.evict(drafts + 1))
        history = [s.noted for s in self._batch.rows]
        start = time.perf_counter()
        self._batch.advance(drafts, leave)
        self._drafter.observe(history, drafts, time.perf_counter() - start)

    def _sequence(self, request: Request, params: SamplingParams, seed: int, stream: bool) -> Sequence:
        sequence = Sequence(
            next(self._handles),
            request,
            request.params or params,
            seed,
            self.teacher,
            () if self.proxies is None else self.proxies.members,
            stream,
            self.policy.marking,
        )
        sequence.require_fit(self.scheduler.token_budget, MAX_DRAFTS)
        return sequence

    def _cancel(self, leave: Callable[[list[Sequence]], None]) -> None:
        chosen = [s for s in (*self.scheduler.running, *self.scheduler.waiting) if s.handle in self._cancelled]
        self._cancelled.clear()
        for s in chosen:
            s.finish("cancelled")
        if chosen:
            leave(chosen)

    def _update(self, s: Sequence) -> Update | None:
        gained = s.decided > s.reported
        s.reported = s.decided
        if not gained and not s.finished:
            return None
        return Update(s.handle, s.sample, s.new_text(), s.finished)

    def _start(self) -> None:
        shared = None if self.proxies is None else self.proxies.shared
        self._batch = Batch(self.teacher, Chooser(self.policy, shared), self.proxies)

    def _abandon(self) -> None:
        """Forget all sequences after an interruption, when the batch may be half-way through a round."""
        self.scheduler.drop([*self.scheduler.running, *self.scheduler.waiting])
        self._start()
