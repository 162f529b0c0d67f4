"""The rows of vLLM's first model runner, which has no interface to tell a model whose logits it computes.

Two of its methods are wrapped, in the class, when a defended model is made: what prepares a step, and what samples from
its logits. The second model runner has an interface for models with a state of their own; it needs a GPU, and until the
tests have run on one it is refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

from distillgame.decoding.drawing import policy_keys
from distillgame.vllm.releasing import Releaser
from distillgame.vllm.rows import RequestRows, StepRows
from distillgame.vllm.settings import COSTS, KEYS, TEMPERATURE, TOP, trusted

_MARK = "_distillgame"


def follow() -> None:
    """Have first model runners tell defended models whose logits they compute; others are not affected."""
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    if getattr(GPUModelRunner, _MARK, False):
        return
    prepare, sample = GPUModelRunner._prepare_inputs, GPUModelRunner._sample

    @wraps(prepare)
    def prepare_and_tell(self: Any, *args: Any, **kwargs: Any) -> Any:
        prepared = prepare(self, *args, **kwargs)
        if (defended := defended_model(self)) is not None:
            drafts = None if prepared[1] is None else prepared[1].num_draft_tokens
            defended.releaser.rows.announce(_rows(self, defended, drafts))
        return prepared

    @wraps(sample)
    def sample_and_tell(self: Any, *args: Any, **kwargs: Any) -> Any:
        sampled = sample(self, *args, **kwargs)
        if (defended := defended_model(self)) is not None:
            partial = self.discard_request_mask.np[: self.input_batch.num_reqs].tolist()
            defended.releaser.costs.sampled(sampled.sampled_token_ids, partial)
        return sampled

    GPUModelRunner._prepare_inputs, GPUModelRunner._sample = prepare_and_tell, sample_and_tell
    setattr(GPUModelRunner, _MARK, True)


def defended_model(runner: Any) -> Any:
    """Return the defended model of a runner, without the wrappers of graphs; None if it has another model."""
    model = runner.get_model()
    return model if isinstance(getattr(model, "releaser", None), Releaser) else None


def _request_rows(model: Any, params: Any) -> RequestRows:
    arguments = params.extra_args or {}
    policy = model.settings.chosen(arguments, model.secret)
    if not trusted(arguments, model.secret):
        return RequestRows(policy, float(params.temperature))
    temperature = float(arguments.get(TEMPERATURE, params.temperature))
    keys = None
    if told := arguments.get(KEYS):
        seed, request, count, first = told
        keys = policy_keys(seed, request, count)[first:]
    return RequestRows(policy, temperature, 1, arguments.get(COSTS), int(arguments.get(TOP, 0)), keys)


def _rows(runner: Any, model: Any, drafts: Sequence[int] | None) -> StepRows:
    names = runner.input_batch.req_ids[: runner.input_batch.num_reqs]
    # What a request asks for does not change from step to step.
    known, model.known_rows = model.known_rows, {}
    for name in names:
        model.known_rows[name] = known.get(name) or _request_rows(model, runner.requests[name].sampling_params)
    counts = [1] * len(names) if drafts is None else [int(count) + 1 for count in drafts]
    states = [runner.requests[name] for name in names]
    positions = [len(state.output_token_ids) for state in states]
    rows = zip(model.known_rows.values(), counts, positions, strict=True)
    return StepRows([replace(each, count=count, position=position) for each, count, position in rows])
