"""Release policies as the owner configures them, and as they are served."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field, model_validator

from distillgame.policies import Defense, ReleasePolicy
from distillgame.policies.forms import Form, make_form
from distillgame.strict import Strict


class Range(Strict):
    """A closed range to which a client's number is clamped; in YAML one number, or ``[low, high]``.

    Attributes:
        low: Smallest value.
        high: Largest value.
    """

    low: float = Field(ge=0)
    high: float = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        if isinstance(data, int | float) and not isinstance(data, bool):
            return {"low": data, "high": data}
        if isinstance(data, list):
            if len(data) != 2:
                raise ValueError("a number or [low, high]")
            return {"low": data[0], "high": data[1]}
        return data

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if self.low > self.high:
            raise ValueError(f"{self.low:g} is above {self.high:g}")
        return self

    def clamp(self, value: float) -> float:
        """Return the number in the range that is closest to ``value``."""
        return min(max(value, self.low), self.high)


class PolicySettings(Strict):
    """A release policy and the requests that it allows; a request beyond them is clamped.

    Defended policies are narrow unless the owner widens them: the teacher's own temperature and the whole distribution,
    for which their strength was calibrated, and no log-probabilities.

    Attributes:
        release: The policy, its strength and its form, as in ``poe: {gamma: 0.5, form: answer_only}``.
        temperature: A number, or a range ``[low, high]``.
        top_p: Likewise.
        max_tokens: Most tokens per completion.
        choices: Most completions per prompt (``n``).
        logprobs: Most log-probabilities per token, of the released distribution; None shows none at all.
    """

    release: Defense
    temperature: Range | None = None
    top_p: Range | None = None
    max_tokens: int = Field(512, ge=1)
    choices: int = Field(8, ge=1)
    logprobs: int | None = Field(None, ge=0, le=20)

    def resolve(self, name: str, temperature: float) -> "ServedPolicy":
        """Return the policy with all that the owner did not set.

        Args:
            name: Its name.
            temperature: The teacher's own temperature.

        Raises:
            DistillgameError: If there is no such policy or form, or its parameters are wrong.
        """
        own = Range(low=temperature, high=temperature)
        narrow = (own, Range(low=1.0, high=1.0), None)
        wide = (Range(low=0.0, high=2.0), Range(low=0.0, high=1.0), 20)
        temperatures, top_p, logprobs = narrow if _is_defended(self.release) else wide
        return ServedPolicy(
            name=name,
            release=self.release,
            policy=self.release.policy,
            form=make_form(self.release.form),
            temperature=self.temperature or temperatures,
            top_p=self.top_p or top_p,
            max_tokens=self.max_tokens,
            choices=self.choices,
            # An owner's explicit null does not allow more.
            logprobs=self.logprobs if "logprobs" in self.model_fields_set else logprobs,
        )


@dataclass(frozen=True)
class ServedPolicy:
    """A release policy under which requests are served.

    Attributes:
        name: Its name in the configuration.
        release: Its parameters and form, by name.
        policy: The release policy.
        form: The form in which completions are released.
        temperature: Allowed temperatures.
        top_p: Allowed values of ``top_p``.
        max_tokens: Most tokens per completion.
        choices: Most completions per prompt.
        logprobs: Most log-probabilities per token; None shows none at all.
    """

    name: str
    release: Defense
    policy: ReleasePolicy
    form: Form
    temperature: Range
    top_p: Range
    max_tokens: int
    choices: int
    logprobs: int | None

    @property
    def defended(self) -> bool:
        """True if anything other than the reference teacher's own text is released."""
        return _is_defended(self.release)

    @property
    def whole(self) -> bool:
        """True if completions are released as they are, not in a form derived from them."""
        return self.release.form.name == "full"


def weakness(first: ServedPolicy, second: ServedPolicy) -> str | None:
    """Return why ``second`` is weaker than ``first``; None if it is not, or if they cannot be compared."""
    if first.defended and not second.defended:
        return "it is undefended"
    if not first.whole and second.whole:
        return "it releases whole completions"
    if second.logprobs is not None and (first.logprobs is None or second.logprobs > first.logprobs):
        return "it shows more log-probabilities"
    if first.release.form != second.release.form or not is_stronger(first.policy, second.policy):
        return None
    return _lost(first.policy, second.policy)


def is_stronger(first: ReleasePolicy, second: ReleasePolicy) -> bool:
    """Return True if ``first`` is known to be stronger: two policies compare if they differ in strength alone."""
    if first.name != second.name:
        return second.name == "standard"
    if first.knob is None:
        return False
    return first.parameters[first.knob.parameter] > second.parameters[first.knob.parameter]


def _lost(strong: ReleasePolicy, weak: ReleasePolicy) -> str:
    if strong.name != weak.name or strong.knob is None:
        return f"its policy is '{weak.name}', not '{strong.name}'"
    before, after = (policy.parameters[strong.knob.parameter] for policy in (strong, weak))
    return f"its {strong.knob.parameter} is {after:g}, not {before:g}"


def _is_defended(release: Defense) -> bool:
    return release.name != "standard" or release.form.name != "full"
