"""Sample a batch of completions under a release policy."""

from collections.abc import Callable, Sequence

import torch

from distillgame.decoding.experts import Proxy, ProxyExpert, TeacherExpert
from distillgame.decoding.request import Request, Sample, SamplingParams
from distillgame.decoding.sampler import draw, truncate
from distillgame.decoding.streams import policy_keys, uniforms
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import Experts, Release, ReleasePolicy, release
from distillgame.values import Direction

COMPACT_BELOW = 0.75
"""Finished rows leave the batch once fewer than this part of it is still running."""


class Engine:
    """Samples from a teacher under a release policy, in static batches.

    Args:
        teacher: The reference teacher.
        policy: The release policy.
        proxy: The defender's proxy, where the policy needs one (otherwise it is not evaluated).
        direction: The defender's unit-norm gradient at the proxy, where the policy needs its derivative.
        batch_size: Number of sequences decoded together.

    Raises:
        DistillgameError: If an expert that the policy needs is missing or does not fit the teacher.
    """

    def __init__(
        self,
        teacher: LanguageModel,
        policy: ReleasePolicy,
        *,
        proxy: LanguageModel | None = None,
        direction: Direction | None = None,
        batch_size: int = 64,
    ):
        self.teacher = teacher
        self.policy = policy
        self.batch_size = batch_size
        self.proxy: Proxy | None = None
        if policy.needs_proxy or policy.needs_delta:
            if proxy is None:
                raise DistillgameError(f"policy '{policy.name}' needs a proxy: name one")
            if policy.needs_delta and direction is None:
                raise DistillgameError(f"policy '{policy.name}' needs the defender's gradient at the proxy")
            self.proxy = Proxy(teacher, proxy, direction if policy.needs_delta else None)

    def generate(
        self,
        requests: Sequence[Request],
        params: SamplingParams,
        seed: int = 0,
        on_sample: Callable[[Sample], None] | None = None,
    ) -> list[Sample]:
        """Sample one completion for each request.

        A completion depends on its request, the policy, ``params`` and ``seed``; the batch it shares affects it only
        through floating-point rounding of the logits.

        Args:
            requests: What to sample.
            params: How to sample.
            seed: Seed of every request's random stream.
            on_sample: Called with each sample as it is finished.

        Returns:
            Samples in the order of ``requests``.

        Raises:
            DistillgameError: If a prompt is empty or too long, or a model yields logits that are not numbers.
        """
        prompts = [self.teacher.prompt_ids(request.messages) for request in requests]
        by_length = sorted(range(len(requests)), key=lambda i: len(prompts[i]))
        samples: dict[int, Sample] = {}
        for start in range(0, len(by_length), self.batch_size):
            chosen = by_length[start : start + self.batch_size]
            batch = _Batch(self, [requests[i] for i in chosen], [prompts[i] for i in chosen], params, seed)
            for i, sample in zip(chosen, batch.run(on_sample), strict=True):
                samples[i] = sample
        return [samples[i] for i in range(len(requests))]


class _Batch:
    """The sequences that are decoded together; ``rows`` maps the running ones to their place in ``requests``."""

    def __init__(
        self,
        engine: Engine,
        requests: Sequence[Request],
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        seed: int,
    ):
        self.engine, self.requests, self.params = engine, requests, params
        self.samples = [
            Sample(request.id, prompt_tokens=len(prompt)) for request, prompt in zip(requests, prompts, strict=True)
        ]
        steps = params.max_new_tokens
        self.uniforms = torch.stack([torch.from_numpy(uniforms(seed, r.id, steps)) for r in requests])
        self.keys = [policy_keys(seed, r.id, steps + params.forced_answer_tokens) for r in requests]
        self.rows = list(range(len(requests)))
        self.teacher = TeacherExpert(engine.teacher, prompts)
        self.proxy: ProxyExpert | None = None
        if engine.proxy is not None:
            model = engine.proxy.model
            self.proxy = engine.proxy.start([model.prompt_ids(request.messages) for request in requests])

    def run(self, on_sample: Callable[[Sample], None] | None) -> list[Sample]:
        """Decode until every sequence has ended or was cut, then force answers."""
        stop = self.engine.teacher.stop_ids
        running = [True] * len(self.samples)
        for step in range(self.params.max_new_tokens):
            tokens = self._sample(step, running)
            for row, token in zip(self.rows, tokens, strict=True):
                if running[row] and token in stop:
                    running[row] = False
                    self._finish(self.samples[row], "stop", on_sample)
            if not any(running) or step == self.params.max_new_tokens - 1:
                break
            tokens = self._compact(tokens, running)
            self._feed([[token] for token in tokens])
        cut = [row for row in self.rows if running[row]]
        if cut and self.params.forced_answer_tokens > 0:
            self._force_answers(cut, running)
        for row in cut:
            self._finish(self.samples[row], "length", on_sample)
        return self.samples

    def _release(self, step: int) -> Release:
        proxy = self.proxy
        experts = Experts(
            teacher=self.teacher.logits,
            temperature=self.params.temperature,
            proxy=None if proxy is None else proxy.logits,
            delta=None if proxy is None else proxy.delta,
            keys=tuple(int(self.keys[row][step]) for row in self.rows),
        )
        result = release(self.engine.policy, experts, None if proxy is None else proxy.proxy.shared)
        bad = torch.isnan(result.released).any(-1)
        if bad.any():
            name = self.requests[self.rows[int(bad.nonzero()[0])]].id
            raise DistillgameError(
                f"request '{name}': the models' logits are not numbers (NaN): the weights are broken"
            )
        return result

    def _sample(self, step: int, running: list[bool]) -> list[int]:
        result = self._release(step)
        kept = truncate(result.released, self.params.top_p, self.params.top_k)
        choice = draw(kept, self.uniforms[self.rows, step].to(kept.device))
        self._record(choice, result, running)
        return choice.tolist()

    def _record(self, choice: torch.Tensor, result: Release, running: list[bool]) -> None:
        column = choice[:, None]
        released = result.released.gather(-1, column).squeeze(-1).tolist()
        reference = result.reference.gather(-1, column).squeeze(-1).tolist()
        kl = result.kl().tolist() if self.params.temperature > 0 else None
        proxy = self._proxy_logprob(choice)
        for i, (row, token) in enumerate(zip(self.rows, choice.tolist(), strict=True)):
            if running[row]:
                sample = self.samples[row]
                sample.token_ids.append(token)
                sample.logprob_released.append(released[i])
                sample.logprob_reference.append(reference[i])
                if kl is not None:
                    sample.kl.append(kl[i])
                if proxy is not None:
                    sample.logprob_proxy.append(proxy[i])

    def _proxy_logprob(self, choice: torch.Tensor) -> list[float] | None:
        """The proxy's log-probability of each choice, at the sampling temperature and on the shared tokens."""
        if self.proxy is None or self.params.temperature == 0:
            return None
        logprobs = torch.log_softmax(self.proxy.logits / self.params.temperature, -1)
        shared = self.proxy.proxy.shared
        if shared is None:
            return list(logprobs.gather(-1, choice[:, None]).squeeze(-1).tolist())
        place = torch.searchsorted(shared, choice).clamp(max=len(shared) - 1)
        found = logprobs.gather(-1, place[:, None]).squeeze(-1)
        return list(torch.where(shared[place] == choice, found, torch.nan).tolist())

    def _compact(self, tokens: list[int], running: list[bool]) -> list[int]:
        keep = [i for i, row in enumerate(self.rows) if running[row]]
        if len(keep) >= COMPACT_BELOW * len(self.rows):
            return tokens
        chosen = torch.tensor(keep, device=self.teacher.logits.device)
        self.teacher.select(chosen)
        if self.proxy is not None:
            self.proxy.select(chosen)
        self.rows = [self.rows[i] for i in keep]
        return [tokens[i] for i in keep]

    def _feed(self, blocks: list[list[int]]) -> None:
        self.teacher.feed(blocks)
        if self.proxy is not None:
            self.proxy.feed(blocks)

    def _force_answers(self, cut: list[int], running: list[bool]) -> None:
        """Append the forced-answer text and a few greedy tokens of the released distribution to cut sequences."""
        tokenizer = self.engine.teacher.tokenizer
        stop = self.engine.teacher.stop_ids
        lead_in = {row: tokenizer.encode(self.requests[row].forced_answer, add_special_tokens=False) for row in cut}
        answers: dict[int, list[int]] = {row: [] for row in cut}
        # The last sampled token was never read: it goes in together with the lead-in.
        self._feed([[self.samples[row].token_ids[-1], *lead_in.get(row, [])] for row in self.rows])
        for place in range(self.params.forced_answer_tokens):
            tokens = self._release(self.params.max_new_tokens + place).released.argmax(-1).tolist()
            for row, token in zip(self.rows, tokens, strict=True):
                if running[row]:
                    answers[row].append(token)
                    running[row] = token not in stop
            if not any(running[row] for row in cut):
                break
            self._feed([[token] for token in tokens])
        for row, ids in answers.items():
            self.samples[row].forced_tokens = len(lead_in[row]) + len(ids)
            self.samples[row].completion = self.requests[row].forced_answer + self.engine.teacher.decode(ids)

    def _finish(self, sample: Sample, reason: str, on_sample: Callable[[Sample], None] | None) -> None:
        sample.finish_reason = "stop" if reason == "stop" else "length"
        sample.completion = self.engine.teacher.decode(sample.token_ids) + sample.completion
        if on_sample is not None:
            on_sample(sample)
