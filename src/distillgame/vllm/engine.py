"""Sampling through vLLM with the interface of our own engine: a view of one copy of the weights per policy."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from distillgame.decoding import Request, Sample, SamplingParams, Sequence, Update
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import ReleasePolicy
from distillgame.vllm.arguments import COLDEST
from distillgame.vllm.core import VllmCore


@dataclass
class VllmEngine:
    """Samples from the teacher under one policy, as :class:`distillgame.decoding.Engine` does.

    A completion depends on its request, the policy, its parameters and the seed, as far as vLLM's own sampler does. No
    draft is judged here; whether the proxy drafts is a matter of vLLM's ``speculative_config``.

    Args:
        core: vLLM.
        policy: The release policy.
        adapter: The folder of an adapter of the teacher's, if it samples with one.

    Raises:
        DistillgameError: If the policy needs a proxy or a direction that vLLM was not given.

    Attributes:
        touched: Sequences that have grown or ended since the last step, by handle.
    """

    core: VllmCore
    policy: ReleasePolicy
    adapter: str | None = None
    touched: dict[int, Sequence] = field(default_factory=dict)
    _active: dict[int, Sequence] = field(default_factory=dict)
    _handles: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.core.require(self.policy)

    @property
    def teacher(self) -> LanguageModel:
        """The teacher, as far as it is known without its weights."""
        return self.core.teacher

    @property
    def busy(self) -> bool:
        """True if any sequence is waiting or running."""
        return bool(self._active or self.touched)

    def prepare(
        self, request: Request, params: SamplingParams | None = None, seed: int = 0, stream: bool = True
    ) -> Sequence:
        """Tokenise and check a request, safe outside the thread that steps.

        Raises:
            DistillgameError: If the prompt is empty or too long.
        """
        chosen = request.params or params or SamplingParams()
        sequence = Sequence(next(self._handles), request, chosen, seed, self.teacher, (), stream)
        sequence.valued = self.core.values(self.policy)
        _require_possible(sequence, self.core.limit)
        return sequence

    def enqueue(self, sequence: Sequence) -> int:
        """Start a prepared sequence and return its handle."""
        self.core.add(self.policy, sequence, self._note, self.adapter)
        self._active[sequence.handle] = sequence
        return sequence.handle

    def cancel(self, handle: int) -> None:
        """Stop a sequence; its last update says ``cancelled``. Unknown handles are ignored."""
        if (sequence := self._active.get(handle)) is not None:
            self.core.cancel(sequence)
            sequence.finish("cancelled")
            self._note(sequence)

    def step(self) -> list[Update]:
        """Return what has happened since the last step; if nothing has, let vLLM take one."""
        if not self.touched:
            self.core.step()
        touched, self.touched = self.touched, {}
        for handle, sequence in touched.items():
            if sequence.finished:
                self._active.pop(handle, None)
        return [
            Update(handle, sequence.sample, sequence.new_text(), sequence.finished)
            for handle, sequence in touched.items()
        ]

    def generate(
        self,
        requests: Iterable[Request],
        params: SamplingParams,
        seed: int = 0,
        on_sample: Callable[[Sample], None] | None = None,
    ) -> list[Sample]:
        """Sample one completion for each request (:meth:`distillgame.decoding.Sampler.generate`).

        Raises:
            DistillgameError: If a prompt is empty or too long, before anything is sampled.
        """
        sequences = [self.prepare(request, params, seed, stream=False) for request in requests]
        for sequence in sequences:
            self.enqueue(sequence)
        while self.busy:
            for update in self.step():
                if update.finished and update.sample.finish_reason == "error":
                    raise DistillgameError(update.sample.error)
                if update.finished and on_sample is not None:
                    on_sample(update.sample)
        return [sequence.sample for sequence in sequences]

    def _note(self, sequence: Sequence) -> None:
        self.touched[sequence.handle] = sequence


def _require_possible(sequence: Sequence, limit: int) -> None:
    """Refuse what vLLM would sample otherwise than it was asked to."""
    name, prompt, growth = sequence.request.id, len(sequence.teacher_ids), sequence.growth
    if not prompt:
        raise DistillgameError(f"request '{name}': the prompt is empty")
    if prompt + growth > limit:
        raise DistillgameError(
            f"request '{name}': its prompt of {prompt} tokens and {growth} new ones do not fit the context of {limit}: "
            "shorten it or lower max_new_tokens"
        )
    if 0 < sequence.params.temperature < COLDEST:
        raise DistillgameError(f"request '{name}': vLLM samples at no temperature between 0 and {COLDEST}")
