"""The engines of all policies, which share networks and take turns."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distillgame.decoding import (
    Calibration,
    Engine,
    Request,
    Sample,
    Sequence,
    TextStream,
    Update,
    settle_precisions,
)
from distillgame.errors import DistillgameError
from distillgame.gateway.backends.base import Job, Piece
from distillgame.gateway.backends.logprobs import shown_logprobs
from distillgame.gateway.config import Sampled, ServeConfig
from distillgame.gateway.ledger import Charge
from distillgame.gateway.telemetry import log
from distillgame.models import LanguageModel, ModelSpec, load_model, pick_device

if TYPE_CHECKING:
    from distillgame.vllm.core import VllmCore
    from distillgame.vllm.engine import VllmEngine


@dataclass(frozen=True)
class JobFailure:
    """The failure of a job.

    Attributes:
        message: The reason.
        is_request: Whether the request is at fault.
    """

    message: str
    is_request: bool = False


JobEvent = tuple[int, Piece | JobFailure | None]
"""A job's number with one of its pieces or its failure; None says that the worker is ready."""


@dataclass
class RunningJob:
    """A job in an engine.

    Attributes:
        number: The job's number.
        job: The job.
        text: Its text as it grows; None if all is sent at the end.
        sent: Tokens that have been sent.
    """

    number: int
    job: Job
    text: TextStream | None
    sent: int = 0


@dataclass
class RunningEngine:
    """An engine and its jobs, by handle."""

    engine: "Engine | VllmEngine"
    jobs: dict[int, RunningJob] = field(default_factory=dict)


class Samplers:
    """The engines of all policies.

    Args:
        config: The owner's configuration.

    Raises:
        DistillgameError: If a model or a direction is missing, or does not fit.
    """

    def __init__(self, config: ServeConfig):
        self.config = config
        self.calibration: dict[tuple[str, ...], Calibration] = {}
        self.proxies: dict[str, LanguageModel] = {}
        self.directions: dict[str, Any] = {}
        self._core = _vllm_core(config) if config.uses_vllm else None
        self.teacher = self._load() if self._core is None else self._core.teacher
        # A cheap bound on the length, so that very long texts are refused before they are tokenized.
        longest = max(len(token) for token in self.teacher.tokenizer.get_vocab())
        self._context = self.teacher.context if self._core is None else self._core.limit
        self._most_characters = self._context * longest
        self._policies = config.sampled
        self._running = {sampled: RunningEngine(self._engine(sampled)) for sampled in self._policies}

    def prepare(self, job: Job) -> Sequence:
        """Tokenize a job's prompt; safe beside the thread that calls :meth:`step`.

        Raises:
            DistillgameError: If the prompt is empty or does not fit.
        """
        characters = len(job.prompt or "") + sum(len(message["content"]) for message in job.messages)
        if characters > self._most_characters:
            raise DistillgameError(f"{characters} characters do not fit the context of {self._context} tokens")
        messages = [dict(message) for message in job.messages]
        key = None if job.mark is None else job.mark.key
        request = Request(
            job.stream, messages, params=job.params, prompt=job.prompt, template=job.template, mark_key=key
        )
        return self._running[job.sampled].engine.prepare(request, stream=False)

    def add(self, number: int, job: Job, sequence: Sequence) -> None:
        """Start a job that was prepared."""
        running = self._running[job.sampled]
        text = TextStream(self.teacher.decode, job.params.stop) if job.pieces else None
        running.jobs[running.engine.enqueue(sequence)] = RunningJob(number, job, text)

    def cancel(self, numbers: set[int]) -> None:
        """Cancel jobs, given by their numbers."""
        for running in self._running.values():
            for handle in [handle for handle, job in running.jobs.items() if job.number in numbers]:
                running.engine.cancel(handle)
                del running.jobs[handle]

    @property
    def busy(self) -> bool:
        """True if any engine has work."""
        return any(running.engine.busy for running in self._running.values())

    def step(self) -> list[JobEvent]:
        """Step every engine that has work, and return the events."""
        events: list[JobEvent] = []
        for sampled, running in self._running.items():
            if running.engine.busy:
                events += self._step(sampled, running)
        return events

    def _step(self, sampled: Sampled, running: RunningEngine) -> list[JobEvent]:
        try:
            updates = running.engine.step()
        except Exception as error:  # Such as lack of memory: these jobs are lost, not the server.
            if self._core is not None:
                raise  # vLLM does not recover, and the server says that it has to be started again.
            failed = [job.number for job in running.jobs.values()]
            self._running[sampled] = RunningEngine(self._engine(sampled))
            return [(number, JobFailure(f"{type(error).__name__}: {error}")) for number in failed]
        return [event for update in updates for event in self._events(running, update)]

    def _events(self, engine: RunningEngine, update: Update) -> Iterator[JobEvent]:
        running = engine.jobs.get(update.handle)
        if running is None:
            return
        sample = update.sample
        if update.finished:
            del engine.jobs[update.handle]
            if sample.finish_reason == "error":
                yield running.number, JobFailure(sample.error, "context" in sample.error)
                return
        if running.text is None:
            if update.finished:
                yield running.number, self._piece(running, sample, len(sample.token_ids), sample.completion, True)
            return
        # All pieces but the last have the same length, which would otherwise reveal how many drafts were accepted.
        size = running.job.pieces
        while len(sample.token_ids) - running.sent >= size:
            end = running.sent + size
            last = update.finished and end == len(sample.token_ids)
            running.text.push(*sample.token_ids[running.sent : end])
            yield running.number, self._piece(running, sample, end, running.text.take(final=last), last)
            if last:
                return
        if update.finished:
            running.text.push(*sample.token_ids[running.sent :])
            text = running.text.take(final=True)
            yield running.number, self._piece(running, sample, len(sample.token_ids), text, True)

    def _piece(self, running: RunningJob, sample: Sample, end: int, text: str, last: bool) -> Piece:
        start, running.sent = running.sent, end
        return Piece(
            text,
            Charge.measure(end - start, sample.kl[start:end], sample.v_gap[start:end]),
            sample.prompt_tokens,
            shown_logprobs(self.teacher, sample, start, end) if running.job.logprobs else (),
            sample.finish_reason if last else None,
        )

    def _load(self) -> LanguageModel:
        """Load proxies and directions, and return the teacher."""
        import torch

        config = self.config
        if config.engine.threads is not None:
            torch.set_num_threads(config.engine.threads)
        device = pick_device(config.engine.device, "engine.device")
        specs = _settled(config, device)
        teacher = load_model(specs.pop("teacher"), device)
        self.proxies = {name: load_model(spec, device) for name, spec in specs.items()}
        self.directions = {name: _load_direction(path) for name, path in config.directions.items()}
        return teacher

    def _engine(self, sampled: Sampled) -> "Engine | VllmEngine":
        policy = self._policies[sampled]
        settings = self.config.engine
        if self._core is not None:
            from distillgame.vllm.engine import VllmEngine

            return VllmEngine(self._core, policy)
        # If its proxies are loaded, a policy is measured by them and lets them draft, also if it does not need them.
        proxied = all(proxy in self.proxies for proxy in policy.proxies)
        # Passes of the same networks cost the same under every policy.
        networks = (*policy.proxies, *(("derivatives",) if policy.needs_delta else ()))
        engine = Engine(
            self.teacher,
            policy,
            proxies=self.proxies,
            directions=self.directions,
            derivative=settings.derivative,
            batch_size=settings.batch_size,
            token_budget=settings.token_budget,
            speculative=proxied and settings.speculative,
            calibration=self.calibration.get(networks),
        )
        if engine.speculative and engine.calibration is None:
            known = next(iter(self.calibration.values()), None)
            self.calibration[networks] = engine.calibration = engine.calibrate(known)
        return engine


def _vllm_core(config: ServeConfig) -> "VllmCore":
    from distillgame.vllm.core import VllmCore
    from distillgame.vllm.launching import plain_settings

    assert config.vllm is not None
    settings = plain_settings(config.strictest, config.teacher, config.all_proxies, config.directions)
    core = VllmCore(config.teacher, settings, config.vllm.together(config.engine.batch_size))
    for notice in core.notices:
        log("warning", logging.WARNING, text=notice)
    return core


def _settled(config: ServeConfig, device: str) -> dict[str, ModelSpec]:
    """Return teacher and proxies by name, their precision chosen where it is open, and log the choice."""
    settings, specs = config.engine, {"teacher": config.teacher, **config.all_proxies}
    timings = settle_precisions(
        config.teacher, config.all_proxies, settings.batch_size, settings.speculative,
        lambda spec: load_model(spec, device), device,
    )  # fmt: skip
    for name, timing in timings.items():
        log("precision", network=name, **timing.model_dump())
        specs[name] = specs[name].model_copy(update={"dtype": timing.chosen})
    return specs


def _load_direction(path: Any) -> Any:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # safetensors has errors of its own for damaged files
        raise DistillgameError(f"directions: {path}: {' '.join(str(error).split())}") from error
