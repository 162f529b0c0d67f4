"""Instructions by which a model rewrites completions before they are released, by name."""

from pathlib import Path

from distillgame.documents import read_document
from distillgame.errors import DistillgameError

SHIPPED = Path(__file__).parent / "strategies.yaml"
"""The shipped strategies."""


def instruction(strategy: str, path: str | None = None) -> str:
    """Return a strategy's instruction.

    Args:
        strategy: Its name.
        path: A YAML file of instructions by name; the shipped one if None.

    Raises:
        DistillgameError: If there is no such file or strategy, or if the instruction is not a text.
    """
    source = SHIPPED if path is None else Path(path)
    if not source.is_file():
        raise DistillgameError(f"form 'rewrite': strategies: {source}: no such file")
    known = read_document(source)
    if strategy not in known:
        choices = ", ".join(map(str, known))
        raise DistillgameError(f"form 'rewrite': unknown strategy '{strategy}': {source} has {choices}")
    text = known[strategy]
    if not isinstance(text, str) or not text.strip():
        raise DistillgameError(f"form 'rewrite': {source}: '{strategy}' is not a text")
    return text.strip()
