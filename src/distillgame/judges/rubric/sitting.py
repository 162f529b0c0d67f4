"""A sitting of the judge: all calls about one batch of exhibits."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from distillgame.errors import DistillgameError
from distillgame.judges.base import Exhibit, Judgement
from distillgame.judges.rubric.answers import MALFORMED, REFUSED, TRUNCATED, UNASKED, Answer, Verdict, verdict
from distillgame.judges.rubric.asking import Caller, Settings
from distillgame.judges.rubric.criteria import Rubric
from distillgame.judges.rubric.prompts import Prompt, prompt
from distillgame.writers import Journal


@dataclass(frozen=True)
class Exchange:
    """One call and its answer.

    Attributes:
        prompt: The call.
        answer: The answer.
    """

    prompt: Prompt
    answer: Answer


@dataclass(frozen=True)
class Hearing:
    """All that was asked and said about one exhibit.

    Attributes:
        exhibit: The exhibit.
        exchanges: Calls and answers by criterion; more than one if answers were malformed.
        verdicts: The last verdict by criterion.
    """

    exhibit: Exhibit
    exchanges: Mapping[str, Sequence[Exchange]]
    verdicts: Mapping[str, Verdict]

    @property
    def judgement(self) -> Judgement:
        """The judgement that follows."""
        scored = {name: said for name, said in self.verdicts.items() if said.level is not None}
        failures = {said.failure for said in self.verdicts.values()}
        kinds = (REFUSED, TRUNCATED, MALFORMED, UNASKED)
        answers = [exchange.answer for exchanges in self.exchanges.values() for exchange in exchanges]
        return Judgement(
            scores={name: float(said.level or 0) for name, said in scored.items()},
            reasons={name: said.reason for name, said in scored.items()},
            failure=None if scored else next(kind for kind in kinds if kind in failures),
            prompt_tokens=sum(answer.prompt_tokens for answer in answers),
            tokens=sum(answer.tokens for answer in answers),
        )


class Sitting:
    """A batch in progress.

    Args:
        rubric: The criteria.
        settings: The model, and the way in which it is asked.
        caller: Asks it.
        journal: Keeps its answers.
        seed: The judge's seed.
        retries: How often a criterion is asked again whose answer was malformed.
        max_tokens: Tokens after which nothing more is asked; None for no bound.
        concurrency: Most calls at once.
    """

    def __init__(
        self,
        rubric: Rubric,
        settings: Settings,
        caller: Caller,
        journal: Journal[Answer],
        seed: int,
        retries: int,
        max_tokens: int | None,
        concurrency: int,
    ):
        self._rubric, self._settings, self._caller, self._journal = rubric, settings, caller, journal
        self._seed, self._retries, self._max_tokens = seed, retries, max_tokens
        self._places = asyncio.Semaphore(concurrency)
        self._spent = 0
        self._broken: DistillgameError | None = None

    async def hear(self, exhibits: Sequence[Exhibit], progress: Callable[[int, int], None]) -> list[Hearing]:
        """Return what is said about each exhibit, in their order.

        Args:
            exhibits: The exhibits.
            progress: Told how many were judged, and their number.

        Raises:
            DistillgameError: If a call fails. Those under way are finished first, so that no answer is lost.
        """
        done = 0

        async def one(exhibit: Exhibit) -> Hearing:
            nonlocal done
            hearing = await self._hear(exhibit)
            done += 1
            if self._broken is None:
                progress(done, len(exhibits))
            return hearing

        heard = await asyncio.gather(*map(one, exhibits))
        if self._broken is not None:
            raise self._broken
        return heard

    async def _hear(self, exhibit: Exhibit) -> Hearing:
        exchanges: dict[str, list[Exchange]] = {name: [] for name in self._rubric}
        said = await asyncio.gather(*(self._decide(exhibit, name, exchanges[name]) for name in self._rubric))
        return Hearing(exhibit, exchanges, dict(zip(self._rubric, said, strict=True)))

    async def _decide(self, exhibit: Exhibit, name: str, exchanges: list[Exchange]) -> Verdict:
        """Return the verdict by one criterion, having added the calls that it took to ``exchanges``."""
        criterion = self._rubric[name]
        said = Verdict(failure=UNASKED)
        async with self._places:
            for attempt in range(self._retries + 1):
                asked = prompt(exhibit, name, criterion, self._seed, attempt)
                answer = await self._answer(asked)
                if answer is None:
                    break
                exchanges.append(Exchange(asked, answer))
                said = verdict(answer, asked.levels)
                if said.failure != MALFORMED:
                    break
        return said

    async def _answer(self, asked: Prompt) -> Answer | None:
        """Return an answer from the journal or from the model; None if nothing more may be asked."""
        key = {
            "model": self._settings.model,
            "base_url": self._settings.base_url,
            "messages": [asked.system, asked.user],
            "seed": asked.seed,
            "temperature": self._settings.temperature,
            "answer_tokens": self._settings.answer_tokens,
            "structured": self._settings.structured,
        }
        known = self._journal.find(key)
        spent = self._max_tokens is not None and self._spent >= self._max_tokens
        if known is not None or spent or self._broken is not None:
            return known
        try:
            answer = await self._caller.ask(asked)
        except DistillgameError as error:
            self._broken = self._broken or error
            return None
        self._spent += answer.prompt_tokens + answer.tokens
        self._journal.add(key, answer)
        return answer
