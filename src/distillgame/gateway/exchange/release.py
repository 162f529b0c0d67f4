"""From pieces to what leaves: forms, the ledger and the order of choices."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace

from distillgame.gateway.backends.base import Backend, Job, Piece
from distillgame.gateway.config.tiers import ServedPolicy
from distillgame.gateway.errors import budget_exhausted
from distillgame.gateway.ledger.charge import NOTHING
from distillgame.gateway.ledger.leases import Lease, OverBudgetError
from distillgame.policies.forms import make_form

ANSWER = "The final answer is "
"""How the answer is written where a form releases it apart from the completion."""


@dataclass(frozen=True)
class Out:
    """Something that may be sent: the ledger has it.

    Attributes:
        index: Which choice.
        piece: What.
    """

    index: int
    piece: Piece


async def released(backend: Backend, jobs: list[Job], served: ServedPolicy, lease: Lease) -> AsyncGenerator[Out, None]:
    """Sample all jobs side by side and yield their pieces, each after the ledger has covered it.

    A job whose next piece the budget does not cover ends there, as if it had reached its length; a request of which
    nothing can be released is refused.

    Args:
        backend: What samples.
        jobs: The completions, by index.
        served: The policy that they are released under.
        lease: The request's account.

    Raises:
        ApiError: If a job is refused or fails, or nothing can be released; the others are cancelled.
    """
    whole = served.release.form.name == "full"
    streams = [backend.run(job) for job in jobs]
    prompt_tokens: dict[int, int] = {}
    prompts = [(job.messages, job.prompt) for job in jobs]
    merged = _merged([stream if whole else _formed(stream, served) for stream in streams])
    try:
        async for index, piece in merged:
            lease.sampled += piece.charge.tokens
            # Choices of one prompt read it once.
            prompt_tokens[prompts.index(prompts[index])] = piece.prompt_tokens
            lease.prompt_tokens = sum(prompt_tokens.values())
            try:
                await lease.cover(piece.charge)
            except OverBudgetError as error:
                if lease.released == NOTHING:
                    raise budget_exhausted() from error
                await streams[index].aclose()
                yield Out(index, Piece(prompt_tokens=piece.prompt_tokens, finish="length"))
                continue
            yield Out(index, piece)
    finally:
        await merged.aclose()
        for stream in streams:
            await stream.aclose()


async def _formed(stream: AsyncIterator[Piece], served: ServedPolicy) -> AsyncGenerator[Piece, None]:
    """One piece in the form of release, charged as if the whole were released: what is derived tells no more.

    Nothing is released of a completion that did not end by itself: its last number is no answer but a step on the way.
    """
    form = make_form(served.release.form)
    text, spent = "", NOTHING
    async for piece in stream:
        text, spent = text + piece.text, spent + piece.charge
        if piece.finish is not None:
            shown = form.release(text, "", _final_answer) if piece.finish == "stop" else ""
            yield replace(piece, text=shown, charge=spent, logprobs=())


def _final_answer(answer: str) -> str:
    return ANSWER + answer


async def _merged(streams: list[AsyncGenerator[Piece, None]]) -> AsyncGenerator[tuple[int, Piece], None]:
    """Pieces of all streams as they come, with the stream's number."""
    if len(streams) == 1:
        async for piece in streams[0]:
            yield 0, piece
        return
    waiting = {asyncio.ensure_future(anext(stream)): index for index, stream in enumerate(streams)}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in sorted(done, key=waiting.__getitem__):
                index = waiting.pop(future)
                try:
                    piece = future.result()
                except StopAsyncIteration:
                    continue
                yield index, piece
                waiting[asyncio.ensure_future(anext(streams[index]))] = index
    finally:
        for future in waiting:
            future.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
