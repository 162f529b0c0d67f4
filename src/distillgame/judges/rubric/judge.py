"""The judge itself: its options, and what it says about a batch of exhibits."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

from distillgame.errors import DistillgameError
from distillgame.judges.base import Exhibit, Judge, Judgement, Scale, Tools, judges
from distillgame.judges.rubric.answers import Answer
from distillgame.judges.rubric.asking import Settings, connected
from distillgame.judges.rubric.criteria import read_rubric
from distillgame.judges.rubric.injections import injections
from distillgame.judges.rubric.logs import write_log
from distillgame.judges.rubric.sitting import Sitting
from distillgame.writers import Journal


@judges.register("rubric")
class RubricJudge(Judge):
    """A language model with a rubric.

    Each criterion is asked in a call of its own. Keys come from the environment only.

    Args:
        model: The model, as inspect_ai names it: ``openai/gpt-4o``, ``anthropic/claude-sonnet-4-0``, ``vllm/NAME``, or
            ``openai-api/SERVICE/NAME`` for any OpenAI-compatible endpoint.
        base_url: The address of its endpoint, as in ``http://127.0.0.1:8000/v1``; the provider's own if None.
        api_key_env: Name of the environment variable that holds the key. If None, it is the provider's usual one; an
            endpoint with a ``base_url`` is sent none.
        rubric: A YAML file of criteria; the shipped one if None.
        criteria: The names of the criteria that are judged; all of the rubric's if None.
        temperature: Temperature; None leaves it to the provider.
        answer_tokens: Most tokens of an answer, including those that a reasoning model thinks in.
        structured: True if the model's structured output is used where it has one.
        retries: How often a criterion is asked again whose answer was malformed, each time with another seed.
        max_tokens: Most tokens, read and written, of one batch; those of answers from the journal do not count. Calls
            that are under way when it is reached are finished; what is left is ``unasked``.
        concurrency: Most calls at once.
        timeout: Seconds until an answer must be there.
        attempts: How often a call is tried that fails on the way; ``Retry-After`` is honoured.
        log_dir: A folder to which a log of each batch is written that ``inspect view`` shows.

    Raises:
        DistillgameError: If an option or the rubric is not acceptable.
    """

    name: ClassVar[str] = "rubric"

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key_env: str | None = None,
        rubric: str | None = None,
        criteria: list[str] | None = None,
        temperature: float | None = 0.0,
        answer_tokens: int = 1024,
        structured: bool = True,
        retries: int = 2,
        max_tokens: int | None = None,
        concurrency: int = 8,
        timeout: float = 120.0,
        attempts: int = 6,
        log_dir: str | None = None,
    ):
        _check(model, base_url)
        at_least = {"answer_tokens": (answer_tokens, 1), "retries": (retries, 0), "concurrency": (concurrency, 1)}
        for option, (value, least) in {**at_least, "attempts": (attempts, 1), "max_tokens": (max_tokens, 1)}.items():
            if value is not None and value < least:
                raise DistillgameError(f"judge 'rubric': {option}: at least {least} (found {value})")
        if timeout <= 0 or (temperature is not None and temperature < 0):
            raise DistillgameError("judge 'rubric': timeout is positive, and temperature is not negative")
        self.rubric = read_rubric(rubric, criteria)
        self.settings = Settings(
            model, base_url, api_key_env, temperature, answer_tokens, structured, timeout, attempts
        )
        self._retries, self._max_tokens, self._concurrency = retries, max_tokens, concurrency
        self._log_dir = log_dir

    @property
    def scales(self) -> Mapping[str, Scale]:
        """The scales of the rubric's criteria."""
        return {name: criterion.scale for name, criterion in self.rubric.items()}

    @property
    def material(self) -> str:
        """The rubric."""
        return repr(self.rubric)

    @property
    def injections(self) -> Sequence[str]:
        """The shipped injections."""
        return injections()

    def calls(self, exhibits: int) -> int:
        """Return the number of calls that a batch makes at least, if no answer is in the journal.

        Args:
            exhibits: Number of exhibits.
        """
        return exhibits * len(self.rubric)

    def judge(self, exhibits: Sequence[Exhibit], tools: Tools) -> list[Judgement]:
        """Return a judgement per exhibit, in their order.

        A judgement fails as ``unasked`` if the batch had reached ``max_tokens`` before.

        Args:
            exhibits: What is judged.
            tools: What it works with.

        Raises:
            DistillgameError: If inspect_ai or a key is missing, or if the model cannot be reached or refuses the call
                as such. What was answered until then is in the journal.
        """
        return asyncio.run(self._judge(exhibits, tools))

    async def _judge(self, exhibits: Sequence[Exhibit], tools: Tools) -> list[Judgement]:
        async with connected(self.settings) as caller:
            sitting = Sitting(
                rubric=self.rubric,
                settings=self.settings,
                caller=caller,
                journal=Journal(Answer, tools.journal),
                seed=tools.seed,
                retries=self._retries,
                max_tokens=self._max_tokens,
                concurrency=self._concurrency,
            )
            heard = await sitting.hear(exhibits, tools.progress)
        if self._log_dir is not None:
            await write_log(self._log_dir, self.settings, self.rubric, heard)
        return [hearing.judgement for hearing in heard]


def _check(model: str, base_url: str | None) -> None:
    if "/" not in model.strip("/"):
        raise DistillgameError(
            f"judge 'rubric': model: a name as inspect_ai has it, PROVIDER/MODEL as in openai/gpt-4o (found '{model}')"
        )
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise DistillgameError(f"judge 'rubric': base_url: an http:// or https:// address (found '{base_url}')")
