"""Marks of tiers: what of them the owner configures, and the marked policies that are served."""

from dataclasses import dataclass, fields

from pydantic import Field

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.gateway.config.policies import ServedPolicy
from distillgame.gateway.ledger import mark_text
from distillgame.policies import MarkPolicy, ReleasePolicy, make_policy
from distillgame.policies.base import policies
from distillgame.policies.forms import AnswerOnlyForm, WrittenForm
from distillgame.registry import option_name
from distillgame.strict import Strict

SERVERS_OWN = ("on", "owner", "secret", "epoch")
"""Options of a mark that the server sets, request by request."""

DAY = 86_400


class MarkSettings(Strict):
    """Settings of all marks.

    Attributes:
        epoch_days: Days after which every owner's keys change.
    """

    epoch_days: int = Field(90, ge=1)

    def epoch(self, seconds: float) -> int:
        """Return the epoch of a time (seconds since 1970): its days since then, divided by ``epoch_days``."""
        return int(seconds // DAY) // self.epoch_days


@dataclass(frozen=True)
class TierMark:
    """The mark of a tier.

    Attributes:
        choice: Its name with all its options, those that the owner left out, too.
    """

    choice: NamedChoice

    @classmethod
    def of(cls, choice: NamedChoice) -> "TierMark":
        """Return the mark that a tier names.

        Raises:
            DistillgameError: If it is not a mark, or not one whose key may be each owner's own.
        """
        for option in SERVERS_OWN:
            if option in choice.options:
                raise DistillgameError(
                    f"'{choice.name}': the server sets '{option}' itself, for each request; leave it out"
                )
        found = policies.get(choice.name) if choice.name in policies.names() else None
        if not (isinstance(found, type) and issubclass(found, MarkPolicy)):
            raise DistillgameError(f"'{choice.name}' is no mark: choose keyed or watermark")
        policy = make_policy(choice.name, choice.options)
        assert isinstance(policy, MarkPolicy)
        if policy.needs_delta:
            raise DistillgameError(
                f"'{choice.name}' follows a direction that belongs to a single owner's key, so that every owner would "
                "need an engine: choose keyed or watermark, whose key comes with each request"
            )
        if policy.knob is not None and not policy.parameters[policy.knob.parameter]:
            raise DistillgameError(f"'{choice.name}': with {policy.knob.parameter} 0 it marks nothing")
        return cls(NamedChoice(name=choice.name, options=_all_options(policy)))

    @property
    def text(self) -> str:
        """Its name and options as the ledger writes them; equal marks have equal texts."""
        return mark_text(self.choice)

    @property
    def tilts(self) -> bool:
        """True if it changes the released distribution."""
        return not make_policy(self.choice.name, self.choice.options).races

    def on(self, served: ServedPolicy) -> ReleasePolicy:
        """Return a policy with the mark on top of it.

        Raises:
            DistillgameError: If it cannot be marked.
        """
        on = served.release.without_form.model_dump()
        return make_policy(self.choice.name, self.choice.options | {"on": on})


def is_markable(served: ServedPolicy) -> bool:
    """Return whether what a policy releases is text as it was sampled, which alone carries marks."""
    return not isinstance(served.form, AnswerOnlyForm | WrittenForm)


def require_markable(mark: TierMark, served: ServedPolicy, first: bool) -> None:
    """Check that a policy can be served under a mark.

    Args:
        mark: The tier's mark.
        served: One of the tier's policies.
        first: Whether it is the one that is served as long as nothing is wrong.

    Raises:
        DistillgameError: If it cannot.
    """
    form = served.release.form.name
    if isinstance(served.form, WrittenForm):
        raise DistillgameError(
            f"policy '{served.name}' has its completions written anew (form '{form}'), which no mark survives: serve "
            "another policy here, or no mark"
        )
    if first and not is_markable(served):
        raise DistillgameError(
            f"policy '{served.name}' releases no text as it was sampled (form '{form}'), so that nothing would be "
            "marked: serve another policy here, or no mark"
        )
    if mark.tilts and served.logprobs is not None:
        raise DistillgameError(
            f"policy '{served.name}' shows log-probabilities, which would show which tokens '{mark.choice.name}' "
            "raises: set its 'logprobs: null', or choose keyed"
        )
    mark.on(served)


def _all_options(policy: MarkPolicy) -> dict[str, object]:
    options = {}
    for field in fields(policy):
        if (name := option_name(field.name)) not in SERVERS_OWN:
            value = getattr(policy, field.name)
            # 1 and 1.0 are the same mark.
            options[name] = float(value) if field.type is float else value
    return options
