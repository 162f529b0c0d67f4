"""A server whose tiers are marked, and the plain tests by which its marks are seen."""

from functools import cache
from typing import Any

import torch
from sqlalchemy import select

from distillgame.gateway.ledger import MarkedOwner, marked_owners, open_database, reading
from distillgame.gateway.ledger.tables import entries, marks
from distillgame.models import LanguageModel, ModelSpec, load_model
from distillgame.policies.seeds import context_seed, uniform_numbers

from ..servers import CONFIG, MODEL, Running

HOT = {"release": "standard", "temperature": [0, 2], "logprobs": None, "max_tokens": 48}

MARKED: dict[str, Any] = CONFIG | {
    "policies": CONFIG["policies"] | {"hot": HOT},
    "tiers": {
        "watermark": {"policy": "hot", "mark": {"watermark": {"delta": 4}}},
        "again": {"policy": "hot", "mark": {"watermark": {"delta": 4.0, "green": 0.5}}},
        "keyed": {"policy": "hot", "mark": "keyed"},
        "salted": {"policy": "hot", "mark": {"keyed": {"salts": 1000}}},
        "soft": {
            "policy": "poe", "mark": "keyed", "flagged": "answer",
            "budget": {"tokens_per_day": 20, "beyond": "strong"},
        },
        "answers": {"policy": "poe", "mark": "keyed", "budget": {"tokens_per_day": 20, "beyond": "answer"}},
        "standard": {"policy": "poe"},
    },
}  # fmt: skip
"""Tiers with the same mark, with another, and without any; the embedded teacher is only unsure of itself when hot."""

WATERMARK = "watermark delta=4 green=0.5 salts=1 width=2"
KEYED = "keyed salts=1 width=4"

PROMPTS = [f"{1 + i % 9} dog , {1 + i % 7} ant , {1 + i % 5} bee" for i in range(45)]


def release(running: Running, key: str, **fields: Any) -> list[tuple[str, str]]:
    """Return each prompt with its completion, all in one request."""
    fields = {"temperature": 2.0, "max_tokens": 48, "prompt": PROMPTS, **fields}
    response = running.ask(key, path="completions", **fields)
    assert response.status_code == 200, response.text
    assert response.json()["model"] == MODEL
    texts = {choice["index"]: choice["text"] for choice in response.json()["choices"]}
    prompts = [prompt for prompt in fields["prompt"] for _ in range(fields.get("n", 1))]
    return [(prompt, texts[i]) for i, prompt in enumerate(prompts)]


def owners(url: str) -> dict[tuple[str, str, int], MarkedOwner]:
    """Return the ledger's marked owners by owner, mark and epoch."""
    engine = open_database(url)
    with reading(engine) as connection:
        found = {(one.owner, one.mark.label, one.epoch): one for one in marked_owners(connection)}
    engine.dispose()
    return found


def recorded(running: Running, owner: str) -> list[tuple[str, str | None, int]]:
    """Return policy, mark and tokens of an owner's requests, once all are settled."""
    running.settled(owner=owner)
    query = (
        select(entries.c.policy, marks.c.mark, entries.c.tokens)
        .outerjoin(marks, marks.c.entry == entries.c.id)
        .where(entries.c.owner == owner)
        .order_by(entries.c.opened)
    )
    engine = open_database(running.url)
    with reading(engine) as connection:
        found = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    return found


def detected(texts: list[tuple[str, str]], marked: MarkedOwner) -> float:
    """Return how far the statistic of an owner's mark is from its mean on unmarked text, in standard errors.

    Each pair of a context and the token after it counts once. For ``watermark`` the statistic is the share of green
    tokens; for ``keyed`` it is the mean of the tokens' numbers, at the first occurrence of a context in a completion.
    """
    options = marked.mark.options
    pairs = {pair for prompt, text in texts for pair in _pairs(prompt, text, options["width"])}
    contexts, tokens = zip(*sorted(pairs), strict=True)
    seeds = torch.tensor([context_seed(marked.key, context) for context in contexts])
    numbers = uniform_numbers(seeds, torch.tensor(tokens)[:, None])[:, 0]
    count = len(tokens)
    if marked.mark.name == "watermark":
        green = options["green"]
        z = ((numbers < green).sum() - green * count) / (green * (1 - green) * count) ** 0.5
    else:
        z = (numbers.mean() - 0.5) / (1 / (12 * count)) ** 0.5
    return float(z)


def _pairs(prompt: str, text: str, width: int) -> set[tuple[tuple[int, ...], int]]:
    tokenizer = teacher().tokenizer
    before = tokenizer.encode(prompt, add_special_tokens=False)
    tokens = tokenizer.encode(text, add_special_tokens=False)
    ids = [*before, *tokens]
    found: dict[tuple[int, ...], int] = {}
    for place in range(max(len(before), width), len(ids)):
        found.setdefault(tuple(ids[place - width : place]), ids[place])
    return set(found.items())


@cache
def teacher() -> LanguageModel:
    """Return the teacher that is served."""
    return load_model(ModelSpec(source="embedded:teacher"), "cpu")
