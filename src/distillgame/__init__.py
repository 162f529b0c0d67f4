"""Play the distillation game for real: defend a language model's outputs, attack the defense, report both."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distillgame.arena import attack, play, sweep

__version__ = version("distillgame")

__all__ = ["__version__", "attack", "play", "sweep"]


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, which --help and --version should not wait for.
    if name in ("attack", "play", "sweep"):
        from distillgame import arena

        return getattr(arena, name)
    raise AttributeError(f"module 'distillgame' has no attribute '{name}'")
