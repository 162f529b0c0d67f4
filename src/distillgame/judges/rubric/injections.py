"""Texts that try to talk a judge into a level, and their planting: a judge that is worth asking ignores them."""

from pathlib import Path

from distillgame.documents import parse_yaml
from distillgame.seeding import derive_seed

SHIPPED = Path(__file__).parent / "injections.yaml"
"""The shipped injections, by kind."""


def injections() -> list[str]:
    """Return the shipped injections, in the order of their file."""
    kinds = parse_yaml(SHIPPED.read_text(encoding="utf-8"))
    return [text for texts in kinds.values() for text in texts]


def planted(text: str, injection: str, seed: int) -> str:
    """Return a text with an injection on lines of its own: before, between or after its lines.

    Args:
        text: The text.
        injection: The injection.
        seed: Seed of the place.
    """
    lines = text.split("\n")
    place = derive_seed("place of injection", seed, text, injection) % (len(lines) + 1)
    return "\n".join([*lines[:place], injection, *lines[place:]])
