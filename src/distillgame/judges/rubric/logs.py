"""Logs of what was judged, in the format of inspect_ai, whose viewer shows them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from distillgame.judges.rubric.asking import Settings
from distillgame.judges.rubric.criteria import Rubric
from distillgame.judges.rubric.sitting import Hearing

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalScore
    from inspect_ai.model import ChatMessage


async def write_log(folder: str, settings: Settings, rubric: Rubric, heard: list[Hearing]) -> None:
    """Write a log of a batch.

    It is made from the hearings, so that it has the answers that came from the journal as well.

    Args:
        folder: Where it is written, under a name of its own.
        settings: The model, and the way in which it was asked.
        rubric: The criteria.
        heard: What was said about each exhibit.
    """
    from inspect_ai.log import write_eval_log_async

    created = datetime.now(UTC)
    log = _log(settings, rubric, heard, created.isoformat(timespec="seconds"))
    Path(folder).mkdir(parents=True, exist_ok=True)
    stem = f"{created:%Y-%m-%dT%H-%M-%S-%f}_rubric_{log.eval.run_id}"
    await write_eval_log_async(log, str(Path(folder) / f"{stem}.eval"))


def _log(settings: Settings, rubric: Rubric, heard: list[Hearing], created: str) -> "EvalLog":
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalResults, EvalSpec, EvalStats
    from inspect_ai.model import GenerateConfig, ModelUsage

    judgements = [hearing.judgement for hearing in heard]
    read, wrote = sum(said.prompt_tokens for said in judgements), sum(said.tokens for said in judgements)
    usage = ModelUsage(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
    scored = sum(said.failure is None for said in judgements)
    return EvalLog(
        status="success",
        eval=EvalSpec(
            eval_id=uuid4().hex,
            run_id=uuid4().hex,
            task_id=uuid4().hex,
            created=created,
            task="rubric",
            dataset=EvalDataset(
                name="exhibits", samples=len(heard), sample_ids=[hearing.exhibit.id for hearing in heard]
            ),
            model=settings.model,
            model_base_url=settings.base_url,
            model_generate_config=GenerateConfig(temperature=settings.temperature, max_tokens=settings.answer_tokens),
            config=EvalConfig(epochs=1),
        ),
        results=EvalResults(
            total_samples=len(heard),
            completed_samples=scored,
            scores=[_mean(name, heard) for name in rubric],
        ),
        stats=EvalStats(started_at=created, completed_at=created, model_usage={settings.model: usage}),
        samples=[_sample(hearing, settings.model) for hearing in heard],
    )


def _mean(criterion: str, heard: list[Hearing]) -> "EvalScore":
    from inspect_ai.log import EvalMetric, EvalScore

    levels = [level for hearing in heard if (level := hearing.verdicts[criterion].level) is not None]
    return EvalScore(
        name=criterion,
        scorer=criterion,
        scored_samples=len(levels),
        unscored_samples=len(heard) - len(levels),
        metrics={"mean": EvalMetric(name="mean", value=sum(levels) / len(levels))} if levels else {},
    )


def _sample(hearing: Hearing, model: str) -> "EvalSample":
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput, ModelUsage
    from inspect_ai.scorer import Score

    messages: list[ChatMessage] = []
    for exchanges in hearing.exchanges.values():
        for exchange in exchanges:
            if not messages:
                messages.append(ChatMessageSystem(content=exchange.prompt.system))
            messages.append(ChatMessageUser(content=exchange.prompt.user))
            messages.append(ChatMessageAssistant(content=exchange.answer.text, model=model))
    judgement = hearing.judgement
    read, wrote = judgement.prompt_tokens, judgement.tokens
    return EvalSample(
        id=hearing.exhibit.id,
        epoch=1,
        input=hearing.exhibit.question,
        target="",
        messages=messages,
        output=ModelOutput(model=model, completion=hearing.exhibit.text),
        scores={
            name: Score(value=said.level, answer=str(said.level), explanation=said.reason)
            for name, said in hearing.verdicts.items()
            if said.level is not None
        },
        metadata={
            "failures": {name: said.failure for name, said in hearing.verdicts.items() if said.failure is not None}
        },
        model_usage={model: ModelUsage(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)},
    )
