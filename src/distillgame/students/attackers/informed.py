"""Students that know more than released text: log-probabilities that a server exposed, or the defender's proxy."""

from dataclasses import dataclass, replace

import torch

from distillgame.errors import DistillgameError
from distillgame.models import Example, LanguageModel
from distillgame.records import ReleasedLogprobs, ReleasedTrace
from distillgame.students.base import Prepared, Student, require_eta, students
from distillgame.students.lessons import Desk, Lesson, Soft, reweighed
from distillgame.students.supplies import Needs


@students.register("proxy_aware")
@dataclass(frozen=True)
class ProxyAware(Student):
    """Weighs traces by v_gap under the defender's proxy, which it knows; this takes forward passes only.

    v_gap = log pi_ref - log pi_stu, as the mean over tokens. The attacker does not have log pi_ref, so it uses its own
    log pi_theta at the current parameters instead, which the training step computes anyway. The proxy reads each
    trace once.
    """

    eta: float
    name = "proxy_aware"

    def __post_init__(self) -> None:
        require_eta(self.name, self.eta)

    @property
    def needs_likelihood(self) -> bool:
        """True."""
        return True

    @property
    def needs(self) -> Needs:
        """The proxy."""
        return Needs(proxy=True)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return all traces, weighed by the proxy's part of v_gap."""
        proxy = desk.supplies.proxy
        assert proxy is not None
        at_proxy = replace(desk, model=proxy)
        pairs = [
            (ours, theirs)
            for trace in desk.supplies.traces
            if (ours := desk.lesson(trace)) is not None and (theirs := at_proxy.lesson(trace)) is not None
        ]
        likelihoods = [float(row.mean()) for row in at_proxy.token_logprobs([theirs for _, theirs in pairs])]
        return reweighed([ours for ours, _ in pairs], [-self.eta * value for value in likelihoods])

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the student's own part of the weight, eta·log pi_theta."""
        return self.eta * values


@students.register("logit")
@dataclass(frozen=True)
class Logit(Prepared):
    """Distils released log-probabilities; with the proxy known, it first inverts PoE of strength ``gamma``.

    log pi_ref = (log pi_rel - gamma·log pi_stu)/(1 - gamma) up to a constant, all at the sampling temperature. This is
    exact where teacher and proxy share a vocabulary and all of it is exposed, and cut to the exposed tokens otherwise.
    """

    gamma: float = 0.0
    name = "logit"

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < 1:
            raise DistillgameError(f"student 'logit': gamma must be at least 0 and below 1 (found {self.gamma!r})")

    @property
    def needs(self) -> Needs:
        """Log-probabilities, and the proxy if a policy is to be inverted."""
        return Needs(logprobs=True, proxy=self.gamma > 0)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return the sampled tokens with soft targets."""
        supplies = desk.supplies
        if self.gamma > 0:
            assert supplies.proxy is not None
            if supplies.temperature == 0:
                raise DistillgameError(
                    "student 'logit': greedy decoding exposes nothing that could be inverted; set gamma=0"
                )
            _require_vocabulary(desk.model, supplies.proxy)
        width = min((tops.shape[1] for exposed in supplies.logprobs if len(tops := exposed.top_ids)), default=0)
        if width == 0:
            raise DistillgameError("student 'logit': the traces carry no log-probabilities")
        lessons = []
        for trace, exposed in zip(supplies.traces, supplies.logprobs, strict=True):
            prompt = desk.model.prompt_ids(trace.messages[:-1])
            room = desk.max_length - len(prompt)
            target = tuple(exposed.token_ids[:room].tolist()) if room > 0 else ()
            if target:
                soft = self._targets(exposed, trace, len(target), width, desk)
                lessons.append(Lesson(Example(tuple(prompt), target), len(exposed.token_ids) > room, soft=soft))
        return lessons

    def _targets(self, exposed: ReleasedLogprobs, trace: ReleasedTrace, length: int, width: int, desk: Desk) -> Soft:
        tokens = torch.tensor(exposed.top_ids[:length, :width])
        logprobs = torch.tensor(exposed.top_logprobs[:length, :width])
        if int(tokens.max()) >= desk.model.logit_count:
            raise DistillgameError("student 'logit' needs the teacher's tokenizer; its own has fewer tokens")
        if self.gamma > 0:
            proxy = desk.supplies.proxy
            assert proxy is not None
            prompt = proxy.prompt_ids(trace.messages[:-1])
            ids = torch.tensor([[*prompt, *exposed.token_ids[:length].tolist()]], device=proxy.device)
            with torch.no_grad():
                logits = proxy.model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float().cpu()
            theirs = torch.log_softmax(logits / desk.supplies.temperature, -1).gather(-1, tokens.long())
            logprobs = (logprobs - self.gamma * theirs) / (1 - self.gamma)
        # A token that was exposed as impossible stays impossible.
        return Soft(tokens, torch.log_softmax(logprobs.clamp(-1e4, 1e4), -1))


def _require_vocabulary(student: LanguageModel, proxy: LanguageModel) -> None:
    if student.tokenizer.get_vocab() != proxy.tokenizer.get_vocab():
        raise DistillgameError(
            f"student 'logit': '{student.source}' and the proxy '{proxy.source}' have different vocabularies"
        )
