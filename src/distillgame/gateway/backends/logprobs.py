"""Tokens as they are shown with their log-probabilities: the text of each where it stands."""

from dataclasses import replace

from distillgame.decoding import Sample
from distillgame.gateway.backends.base import TokenLogprob
from distillgame.models import LanguageModel

CONTEXT = 8
"""Tokens before a token that may change its text."""

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
"""What decoders show for part of a character."""


def shown_logprobs(model: LanguageModel, sample: Sample, start: int, end: int) -> tuple[TokenLogprob, ...]:
    """Return the tokens of a sample from ``start`` to ``end``, each with the likeliest tokens at its place.

    Args:
        model: The teacher.
        sample: The sample, with its likeliest tokens if they are shown.
        start: Position of the first token.
        end: Position after the last token.
    """
    found = []
    for i in range(start, end):
        before = sample.token_ids[max(0, i - CONTEXT) : i]
        top: tuple[TokenLogprob, ...] = ()
        if sample.top_ids:
            likeliest = zip(sample.top_ids[i], sample.top_logprobs[i], strict=True)
            top = tuple(_shown(model, before, token, logprob) for token, logprob in likeliest)
        found.append(replace(_shown(model, before, sample.token_ids[i], sample.logprob_released[i]), top=top))
    return tuple(found)


def _shown(model: LanguageModel, before: list[int], token: int, logprob: float) -> TokenLogprob:
    """Return a token with its text after others: alone, the tokens of many tokenizers lose the space before them."""
    alone = str(model.tokenizer.decode([token], clean_up_tokenization_spaces=False))
    # Part of a character ends the text until the token that completes it.
    base, text = (model.decode(ids).rstrip(INCOMPLETE) for ids in (before, [*before, token]))
    added = text[len(base) :] if text.startswith(base) else alone
    partial = INCOMPLETE in alone or not added
    return TokenLogprob(alone if partial else added, logprob, token, len(added))
