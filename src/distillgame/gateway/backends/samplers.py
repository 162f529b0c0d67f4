"""What samples: an engine for each policy over the same networks, stepped in turn."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from distillgame.decoding import Calibration, Engine, Request, Sample, Sequence, TextStream, Update
from distillgame.errors import DistillgameError
from distillgame.gateway.backends.base import Job, Piece, TokenLogprob
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.ledger.charge import charge
from distillgame.models import load_model, pick_device


@dataclass(frozen=True)
class Failure:
    """A job that came to nothing.

    Attributes:
        message: Why.
        is_asked: Whether what was asked is at fault.
    """

    message: str
    is_asked: bool = False


Event = tuple[int, Piece | Failure | None]
"""A job's number, and a piece of it, its failure, or None: the process is ready."""


@dataclass
class Running:
    """A job in an engine.

    Attributes:
        number: The job's number.
        job: The job.
        text: Its text as it grows; None where all is sent at the end.
        sent: Tokens that have been sent.
    """

    number: int
    job: Job
    text: TextStream | None
    sent: int = 0


@dataclass
class Served:
    """An engine with the jobs in it, by handle."""

    engine: Engine
    jobs: dict[int, Running] = field(default_factory=dict)


class Samplers:
    """The engines of all policies.

    Args:
        config: The owner's configuration.

    Raises:
        DistillgameError: If a model or a direction is missing, or does not fit.
    """

    def __init__(self, config: ServeConfig):
        import torch

        self.config = config
        if config.engine.threads is not None:
            torch.set_num_threads(config.engine.threads)
        device = pick_device(config.engine.device, "engine.device")
        self.teacher = load_model(config.teacher, device)
        self.proxies = {name: load_model(spec, device) for name, spec in config.all_proxies.items()}
        self.directions = {name: _load_direction(path) for name, path in config.directions.items()}
        # A bound that costs nothing, before a long text is taken apart.
        longest = max(len(token) for token in self.teacher.tokenizer.get_vocab())
        self._most_characters = self.teacher.context * longest
        self.calibration: dict[tuple[str, ...], Calibration] = {}
        self.served = {name: Served(self._engine(name)) for name in config.policies}

    def prepare(self, job: Job) -> Sequence:
        """Read a job's prompt; safe beside the thread that steps.

        Raises:
            DistillgameError: If the prompt is empty or does not fit.
        """
        characters = len(job.prompt or "") + sum(len(message["content"]) for message in job.messages)
        if characters > self._most_characters:
            context = self.teacher.context
            raise DistillgameError(f"{characters} characters do not fit the teacher's context of {context} tokens")
        request = Request(job.stream, [dict(m) for m in job.messages], params=job.params, prompt=job.prompt)
        return self.served[job.policy].engine.prepare(request, stream=False)

    def add(self, number: int, job: Job, sequence: Sequence) -> None:
        """Take in a job that was prepared."""
        served = self.served[job.policy]
        text = TextStream(self.teacher.decode, job.params.stop) if job.pieces else None
        served.jobs[served.engine.enqueue(sequence)] = Running(number, job, text)

    def cancel(self, numbers: set[int]) -> None:
        """Forget jobs."""
        for served in self.served.values():
            for handle in [h for h, running in served.jobs.items() if running.number in numbers]:
                served.engine.cancel(handle)
                del served.jobs[handle]

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return any(served.engine.busy for served in self.served.values())

    def step(self) -> list[Event]:
        """Move every engine on that has work, and say what came of it."""
        events: list[Event] = []
        for name, served in self.served.items():
            if served.engine.busy:
                events += self._step(name, served)
        return events

    def _step(self, name: str, served: Served) -> list[Event]:
        try:
            updates = served.engine.step()
        except Exception as error:  # Out of memory, say: these jobs are lost, not the server.
            failed = [running.number for running in served.jobs.values()]
            self.served[name] = Served(self._engine(name))
            return [(number, Failure(f"{type(error).__name__}: {error}")) for number in failed]
        return [event for update in updates for event in self._events(served, update)]

    def _events(self, served: Served, update: Update) -> Iterator[Event]:
        running = served.jobs.get(update.handle)
        if running is None:
            return
        sample = update.sample
        if update.finished:
            del served.jobs[update.handle]
            if sample.finish_reason == "error":
                yield running.number, Failure(sample.error, "context" in sample.error)
                return
        if running.text is None:
            if update.finished:
                yield running.number, self._piece(running, sample, len(sample.token_ids), sample.completion, True)
            return
        # As many tokens in every piece but the last: its length would tell how many drafts were accepted.
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

    def _piece(self, running: Running, sample: Sample, end: int, text: str, last: bool) -> Piece:
        start, running.sent = running.sent, end
        return Piece(
            text,
            charge(end - start, sample.kl[start:end], sample.v_gap[start:end]),
            sample.prompt_tokens,
            self._logprobs(sample, start, end) if running.job.logprobs else (),
            sample.finish_reason if last else None,
        )

    def _logprobs(self, sample: Sample, start: int, end: int) -> tuple[TokenLogprob, ...]:
        def text(token: int) -> str:
            return str(self.teacher.tokenizer.decode([token]))

        tops: list[tuple[list[int], list[float]]] = [([], [])] * end
        if sample.top_ids:
            tops = list(zip(sample.top_ids[:end], sample.top_logprobs[:end], strict=True))
        return tuple(
            TokenLogprob(
                text(sample.token_ids[i]),
                sample.logprob_released[i],
                tuple((text(token), logprob) for token, logprob in zip(*tops[i], strict=True)),
            )
            for i in range(start, end)
        )

    def _engine(self, name: str) -> Engine:
        policy = self.config.policies[name].make()
        settings = self.config.engine
        # With proxies at hand every policy is measured by them, the undefended one too, and may let them draft.
        proxied = all(proxy in self.proxies for proxy in policy.proxies)
        # Passes of the same networks cost the same under any policy.
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
            self.calibration[networks] = engine.calibration = engine.calibrate()
        return engine


def _load_direction(path: Any) -> Any:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # safetensors has errors of its own for damaged files
        raise DistillgameError(f"directions: {path}: {' '.join(str(error).split())}") from error
