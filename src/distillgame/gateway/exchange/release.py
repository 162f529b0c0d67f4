"""The release of pieces: derived into the policy's form, covered by the ledger, and merged over completions."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace

from distillgame.gateway.backends import Backend, Job, Piece
from distillgame.gateway.config import ServedPolicy
from distillgame.gateway.errors import budget_exhausted
from distillgame.gateway.exchange.rewriting import NOTATION, Rewriting
from distillgame.gateway.ledger import NOTHING, Lease, OverBudgetError


@dataclass(frozen=True)
class ReleasedPiece:
    """A piece that may be sent, because the ledger has covered it.

    Attributes:
        index: Index of the completion.
        piece: The piece.
    """

    index: int
    piece: Piece


async def release(
    backend: Backend, jobs: list[Job], served: ServedPolicy, lease: Lease, rewriting: Rewriting | None = None
) -> AsyncGenerator[ReleasedPiece, None]:
    """Sample all jobs side by side and yield their pieces, each after the ledger has covered it.

    A completion whose next piece the budget does not cover ends there, as if it had reached its length. If nothing at
    all can be released, the request is refused.

    Args:
        backend: Samples the completions.
        jobs: The completions, by index.
        served: The policy under which they are released.
        lease: The request's account.
        rewriting: Writes the released texts, if the policy's form has them written.

    Raises:
        ApiError: If a job is refused or fails, or nothing can be released; the others are cancelled.
    """
    streams = [backend.run(job) for job in jobs]
    prompt_tokens: dict[int, int] = {}
    prompts = [(job.messages, job.prompt) for job in jobs]
    merged = _merged(
        [
            stream if served.whole else _derived(stream, job, served, rewriting)
            for stream, job in zip(streams, jobs, strict=True)
        ]
    )
    try:
        async for index, piece in merged:
            lease.sampled += piece.charge.tokens
            # The completions of one prompt share it.
            prompt_tokens[prompts.index(prompts[index])] = piece.prompt_tokens
            lease.prompt_tokens = sum(prompt_tokens.values())
            try:
                await lease.cover(piece.charge)
            except OverBudgetError as error:
                if lease.released == NOTHING:
                    raise budget_exhausted() from error
                await streams[index].aclose()
                yield ReleasedPiece(index, Piece(prompt_tokens=piece.prompt_tokens, finish="length"))
                continue
            yield ReleasedPiece(index, piece)
    finally:
        await merged.aclose()
        for stream in streams:
            await stream.aclose()


async def _derived(
    stream: AsyncIterator[Piece], job: Job, served: ServedPolicy, rewriting: Rewriting | None
) -> AsyncGenerator[Piece, None]:
    """Yield one piece in the policy's form, charged as if the whole completion were released, which bounds its leakage.

    Nothing is released of a completion that did not end by itself: its last number is a step on the way, not an answer.
    """
    text, spent = "", NOTHING
    async for piece in stream:
        text, spent = text + piece.text, spent + piece.charge
        if piece.finish is not None:
            shown = ""
            if piece.finish == "stop" and rewriting is not None:
                shown = await rewriting.release(job, text)
            elif piece.finish == "stop":
                shown = served.form.release(text, NOTATION)
            yield replace(piece, text=shown, charge=spent, logprobs=())


async def _merged(streams: list[AsyncGenerator[Piece, None]]) -> AsyncGenerator[tuple[int, Piece], None]:
    """Yield the pieces of all streams as they arrive, each with the index of its stream."""
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
