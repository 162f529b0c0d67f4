"""One vLLM engine that samples the sequences of all policies from one copy of the weights."""

import math
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from distillgame.decoding import Sequence
from distillgame.decoding.drawing import Decision
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec, load_without_weights, pick_device
from distillgame.policies import ReleasePolicy
from distillgame.seeding import derive_seed
from distillgame.vllm.costs import SampledToken
from distillgame.vllm.launching import may_seed, start_engine
from distillgame.vllm.settings import COSTS, KEYS, POLICY, PREFIX, SECRET, SECRET_ENV, TEMPERATURE, TOP, DefenseSettings
from distillgame.vllm.vocabulary import require_drafting, shared_tokens


@dataclass
class Running:
    """A sequence that vLLM samples.

    Attributes:
        policy: The policy under which it is sampled.
        notify: Told the sequence when it has grown or ended.
        sequence: The sequence, which decides when it ends.
        adapter: The folder of the adapter with which the teacher samples it; None without one.
        costs: Costs of tokens that vLLM has sampled and not handed out.
    """

    policy: ReleasePolicy
    notify: Callable[[Sequence], None]
    sequence: Sequence
    adapter: str | None = None
    costs: list[SampledToken] = field(default_factory=list)


class VllmCore:
    """One vLLM engine in this process, with a defended model.

    Args:
        teacher: The reference teacher, a folder or a hub name.
        settings: The proxies, and the policy of requests that name none.
        arguments: Further arguments of vLLM's engine, by the names of its flags.

    Attributes:
        teacher: The teacher, as far as it is known without its weights.
        limit: Longest sequence in tokens.
        notices: What the provider should know of tokens that the proxies lack.

    Raises:
        DistillgameError: If vLLM is not installed, or refuses the models or the arguments.
    """

    def __init__(self, teacher: ModelSpec, settings: DefenseSettings, arguments: Mapping[str, Any]):
        self._secret = os.environ[SECRET_ENV] = secrets.token_hex(16)
        self.teacher = load_without_weights(teacher)
        proxies = {name: load_without_weights(path) for name, path in settings.proxies.items()}
        # vLLM takes long to start, and would say so only then.
        self.notices = shared_tokens(self.teacher, proxies).notices(self.teacher, proxies)
        require_drafting(self.teacher, arguments)
        self._engine = start_engine(teacher, settings, arguments)
        self._settings, self._may_seed = settings, may_seed(self._engine)
        self.limit = int(self._engine.model_config.max_model_len)
        self._running: dict[str, Running] = {}
        self._numbers = count()
        self._adapters: dict[str, int] = {}

    def require_drawing(self, temperature: float) -> None:
        """Check that draws at a temperature are those that their seeds and the distribution say.

        Raises:
            DistillgameError: If they are not, on a CPU: without seeds, or by vLLM's own fault.
        """
        if temperature == 0 or pick_device("auto", "vllm") != "cpu":
            return
        if not self._may_seed:
            raise DistillgameError("enable_chunked_prefill: on a CPU it leaves draws without seeds; leave it out")
        if self._engine.vllm_config.speculative_config is not None:
            raise DistillgameError("speculative_config: on a CPU vLLM draws wrongly with it; leave it out")

    def require(self, policy: ReleasePolicy) -> None:
        """Check that a policy can be served.

        Raises:
            DistillgameError: If it needs a proxy or a direction that is not there, or arguments cannot name it.
        """
        self._settings.require(policy)
        told = self._settings.chosen(_named(policy) | {SECRET: self._secret, KEYS: None}, self._secret)
        if type(told) is not type(policy) or _named(told) != _named(policy):
            raise DistillgameError(f"policy '{policy.name}': a request to vLLM cannot say what its options are")

    def values(self, policy: ReleasePolicy) -> bool:
        """Return whether there are the proxies by which the tokens of a policy are valued."""
        return all(name in self._settings.proxies for name in policy.proxies)

    def add(
        self,
        policy: ReleasePolicy,
        sequence: Sequence,
        notify: Callable[[Sequence], None],
        adapter: str | None = None,
    ) -> None:
        """Start a sequence.

        Args:
            policy: The policy under which it is sampled.
            sequence: The sequence.
            notify: Told the sequence when it has grown or ended.
            adapter: The folder of an adapter of the teacher's.
        """
        params = sequence.params
        self._submit(Running(policy, notify, sequence, adapter), params.temperature, params.max_new_tokens)

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
        running.notify(sequence)

    def _force(self, running: Running) -> None:
        """Sample a forced answer: greedy tokens after the text that asks for it, in a request of its own."""
        length = running.sequence.params.forced_answer_tokens
        self._submit(replace(running, costs=[]), 0.0, length)

    def _forget(self, account: str) -> None:
        del self._running[account]
        self._engine.abort_request([account])
        self._engine.collective_rpc("distillgame_costs", args=([account],))

    def _submit(self, running: Running, temperature: float, length: int) -> None:
        from vllm import SamplingParams as VllmParams
        from vllm.sampling_params import RequestOutputKind

        account, sequence = f"{next(self._numbers)}", running.sequence
        params = sequence.params
        seed = derive_seed("vllm", sequence.seed, sequence.request.id, temperature > 0)
        arguments = {SECRET: self._secret, COSTS: account, TOP: params.top_logprobs, TEMPERATURE: params.temperature}
        if running.policy.control:
            most = params.max_new_tokens + params.forced_answer_tokens
            arguments[KEYS] = [sequence.seed, sequence.request.id, most, sequence.decided]
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
                seed=seed if self._may_seed else None,
                detokenize=False,
                output_kind=RequestOutputKind.DELTA,
                skip_clone=True,
                extra_args=arguments | _named(running.policy),
            ),
            lora_request=self._adapter(running.adapter),
        )
        self._running[account] = running

    def _adapter(self, folder: str | None) -> Any:
        """Return an adapter as vLLM knows it; one folder has one number, from 1."""
        if folder is None:
            return None
        from vllm.lora.request import LoRARequest

        number = self._adapters.setdefault(folder, len(self._adapters) + 1)
        return LoRARequest(folder, number, folder)


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
        options["proxies"] = dict(policy.proxy_weights)
    if policy.combine is not None:
        options["combine"] = policy.combine
    return {POLICY: policy.name} | {f"{PREFIX}{name}": value for name, value in options.items()}
