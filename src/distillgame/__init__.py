"""Play the distillation game for real: defend a language model's outputs, attack the defense, report both."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distillgame.arena import play

__version__ = version("distillgame")

__all__ = ["__version__", "play"]


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, which --help and --version should not wait for.
    if name == "play":
        from distillgame.arena import play

        return play
    raise AttributeError(f"module 'distillgame' has no attribute '{name}'")
