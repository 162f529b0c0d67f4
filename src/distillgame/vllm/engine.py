"""Sampling through vLLM with the interface of our own engine: one copy of the weights, one view of it per policy."""

import math
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from distillgame.decoding import Request, Sample, SamplingParams, Sequence, Update
from distillgame.decoding.drawing import Decision
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, ModelSpec, load_without_weights, locate, pick_device
from distillgame.policies import PolicyChoice, ReleasePolicy
from distillgame.seeding import derive_seed
from distillgame.vllm.costs import SampledToken
from distillgame.vllm.settings import (
    ARCHITECTURE,
    COSTS,
    FIELD,
    POLICY,
    PREFIX,
    SECRET,
    SECRET_ENV,
    TEMPERATURE,
    TOP,
    DefenseSettings,
)

EXTENSION = "distillgame.vllm.extension.CostReader"
"""The mix-in of vLLM's workers that reports costs."""


@dataclass
class Running:
    """A sequence that vLLM samples.

    Attributes:
        engine: The view that it belongs to.
        sequence: The sequence, which decides when it ends.
        costs: Costs of tokens that vLLM has sampled and not handed out.
    """

    engine: "VllmEngine"
    sequence: Sequence
    costs: list[SampledToken] = field(default_factory=list)


class VllmCore:
    """One vLLM engine in this process, with a defended model.

    Args:
        teacher: The reference teacher, a folder or a hub name.
        settings: The proxies, and the policy of requests that name none.
        arguments: Further arguments of vLLM's engine, by the names of its flags.

    Attributes:
        teacher: What is known of the teacher without its weights.
        limit: Longest sequence in tokens.

    Raises:
        DistillgameError: If vLLM is not installed, or refuses the models or the arguments.
    """

    def __init__(self, teacher: ModelSpec, settings: DefenseSettings, arguments: Mapping[str, Any]):
        # In this process: costs are read between two steps, and the process that samples is one of its own already.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ["VLLM_USE_V2_MODEL_RUNNER"] = "0"
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        self._secret = os.environ[SECRET_ENV] = secrets.token_hex(16)
        self.teacher = load_without_weights(teacher)
        self._engine = _start(teacher, settings, arguments)
        self._settings = settings
        self.limit = int(self._engine.model_config.max_model_len)
        self._running: dict[str, Running] = {}
        self._numbers = count()

    def view(self, policy: ReleasePolicy) -> "VllmEngine":
        """Return an engine that samples under a policy from these weights.

        Raises:
            DistillgameError: If the policy needs a proxy or a direction that is not there.
        """
        self._settings.require(policy)
        return VllmEngine(self, policy)

    def add(self, engine: "VllmEngine", sequence: Sequence) -> None:
        """Start a sequence."""
        params, account = sequence.params, f"{next(self._numbers)}"
        self._running[account] = Running(engine, sequence)
        self._submit(account, engine.policy, sequence, params.temperature, params.max_new_tokens)

    def cancel(self, sequence: Sequence) -> None:
        """Stop a sequence that is being sampled."""
        for account, running in list(self._running.items()):
            if running.sequence is sequence:
                self._forget(account)

    def step(self) -> None:
        """Advance all sequences, of all views, and hand each its new tokens.

        Raises:
            RuntimeError: If vLLM has failed; it does not recover.
        """
        if not self._running:
            return
        outputs = self._engine.step()
        moved = [output.request_id for output in outputs if output.request_id in self._running]
        if not moved:
            return
        self._read_costs(moved)
        for output in outputs:
            if output.request_id in self._running:
                self._advance(output)

    def _read_costs(self, accounts: list[str]) -> None:
        """Read the costs of new tokens from the first worker; the others have the same ones, or none."""
        for account, found in self._engine.collective_rpc("distillgame_costs", args=(accounts,))[0].items():
            self._running[account].costs.extend(found)

    def _advance(self, output: Any) -> None:
        account, (completion,) = output.request_id, output.outputs
        running = self._running[account]
        sequence, tokens = running.sequence, list(completion.token_ids)
        # vLLM may have sampled more than it hands out; never less.
        costs, running.costs = running.costs[: len(tokens)], running.costs[len(tokens) :]
        if [each.token for each in costs] != tokens:
            raise RuntimeError("distillgame: vLLM's tokens are not those whose costs were measured")
        free = sequence.forced is None
        for each in costs:
            if not sequence.finished and (sequence.forced is None) == free:
                _commit(sequence, each)
        forced = free and sequence.forced is not None and not sequence.finished
        if sequence.finished or output.finished or forced:
            self._forget(account)
        if forced:
            self._force(running)
        elif not sequence.finished and output.finished:
            sequence.finish("error", f"request '{sequence.request.id}': vLLM ended it ({completion.finish_reason})")
        running.engine.touched[sequence.handle] = sequence

    def _force(self, running: Running) -> None:
        """Sample a forced answer: greedy tokens after the text that asks for it, in a request of its own."""
        account, sequence = f"{next(self._numbers)}", running.sequence
        self._running[account] = Running(running.engine, sequence)
        self._submit(account, running.engine.policy, sequence, 0.0, sequence.params.forced_answer_tokens)

    def _forget(self, account: str) -> None:
        del self._running[account]
        self._engine.abort_request([account])
        self._engine.collective_rpc("distillgame_costs", args=([account],))

    def _submit(self, account: str, policy: ReleasePolicy, sequence: Sequence, temperature: float, length: int) -> None:
        from vllm import SamplingParams as VllmParams
        from vllm.sampling_params import RequestOutputKind

        params = sequence.params
        arguments = {SECRET: self._secret, COSTS: account, TOP: params.top_logprobs, TEMPERATURE: params.temperature}
        self._engine.add_request(
            account,
            {"prompt_token_ids": list(sequence.teacher_ids)},
            VllmParams(
                temperature=temperature,
                top_p=params.top_p,
                top_k=params.top_k,
                max_tokens=length,
                stop_token_ids=sorted(sequence.stop_ids),
                ignore_eos=params.ignore_end,
                seed=derive_seed("vllm", sequence.seed, sequence.request.id, temperature > 0),
                detokenize=False,
                output_kind=RequestOutputKind.DELTA,
                skip_clone=True,
                extra_args=arguments | _named(policy),
            ),
        )


@dataclass
class VllmEngine:
    """Samples from the teacher under one policy, as :class:`distillgame.decoding.Engine` does.

    A completion depends on its request, the policy, its parameters and the seed, as far as vLLM's own sampler does. No
    draft is judged here; whether the proxy drafts is a matter of vLLM's ``speculative_config``.

    Args:
        core: vLLM.
        policy: The release policy.

    Attributes:
        touched: Sequences that have grown or ended since the last step, by handle.
    """

    core: VllmCore
    policy: ReleasePolicy
    touched: dict[int, Sequence] = field(default_factory=dict)
    _active: dict[int, Sequence] = field(default_factory=dict)
    _handles: Any = field(default_factory=count)

    @property
    def teacher(self) -> LanguageModel:
        """What is known of the teacher without its weights."""
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
        sequence.valued = True
        sequence.require_fit(self.core.limit, 0)
        return sequence

    def enqueue(self, sequence: Sequence) -> int:
        """Start a prepared sequence and return its handle."""
        self._active[sequence.handle] = sequence
        self.core.add(self, sequence)
        return sequence.handle

    def cancel(self, handle: int) -> None:
        """Stop a sequence; its last update says ``cancelled``. Unknown handles are ignored."""
        if (sequence := self._active.get(handle)) is not None:
            self.core.cancel(sequence)
            sequence.finish("cancelled")
            self.touched[handle] = sequence

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
        """Sample one completion for each request, in their order.

        Args:
            requests: The requests.
            params: Sampling parameters of requests without their own.
            seed: Seed of every request's random stream.
            on_sample: Called with each sample when it is finished.

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


def _commit(sequence: Sequence, sampled: SampledToken) -> None:
    released, reference, *_ = sampled.measures
    if not math.isfinite(released) or math.isnan(reference):
        sequence.finish("error", f"request '{sequence.request.id}': the models' logits are not numbers")
        return
    decision = Decision(
        sampled.token, False, False, list(sampled.measures), list(sampled.top_ids), list(sampled.top_logprobs)
    )
    sequence.commit(decision)


def _named(policy: ReleasePolicy) -> dict[str, Any]:
    """Return the arguments that name a policy with all of its options."""
    options: dict[str, Any] = dict(policy.parameters)
    if policy.uses_proxies:
        options["proxies"] = dict(policy.proxies) if isinstance(policy.proxies, Mapping) else list(policy.proxies)
    if policy.combine is not None:
        options["combine"] = policy.combine
    return {POLICY: policy.name} | {f"{PREFIX}{name}": value for name, value in options.items()}


def _start(teacher: ModelSpec, settings: DefenseSettings, arguments: Mapping[str, Any]) -> Any:
    try:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine
    except ImportError as error:
        raise DistillgameError(f"vLLM is not installed ({error}): see docs/vllm.md") from error
    location = locate(teacher.source)
    overrides = {"architectures": [ARCHITECTURE], FIELD: settings.model_dump(mode="json")}
    chosen: dict[str, Any] = {
        "model": location.name,
        "revision": location.revision,
        "dtype": _dtype(teacher, settings),
        "hf_overrides": overrides,
        "worker_extension_cls": EXTENSION,
        "disable_log_stats": True,
        "seed": 0,
    }
    if clash := sorted(chosen.keys() & arguments.keys()):
        raise DistillgameError(f"vllm.arguments: '{clash[0]}' is set by distillgame itself")
    try:
        return LLMEngine.from_engine_args(EngineArgs(**chosen, **arguments))
    except DistillgameError:
        raise
    except Exception as error:  # vLLM raises any error for models and arguments that it cannot serve
        raise DistillgameError(f"vLLM: {' '.join(str(error).split())[:300]}") from error


def _dtype(teacher: ModelSpec, settings: DefenseSettings) -> str:
    """Return the precision: the owner's; otherwise what differences of passes need, or what is exact on a CPU."""
    if teacher.dtype != "auto":
        return teacher.dtype
    return "float32" if settings.directions or pick_device("auto", "vllm") == "cpu" else "auto"


def plain_settings(
    policy: PolicyChoice, proxies: Mapping[str, ModelSpec], directions: Mapping[str, Any]
) -> DefenseSettings:
    """Return the settings of a defended model whose proxies are given as sources of ours.

    Args:
        policy: The policy of requests that name none.
        proxies: The proxies by name.
        directions: Files of their directions.

    Raises:
        DistillgameError: If there is no proxy, or one is not a folder or hub name.
    """
    if not proxies:
        raise DistillgameError("vLLM serves a defended model: name a 'proxy'")
    return DefenseSettings(
        policy=policy,
        proxies={name: locate(spec.source).name for name, spec in proxies.items()},
        directions=dict(directions),
    )
