"""The device that networks run on."""

from typing import Literal

from distillgame.errors import DistillgameError

DeviceName = Literal["auto", "cpu", "cuda"]
"""A device as configurations name it; ``auto`` takes a GPU if there is one."""


def pick_device(asked: DeviceName, field: str) -> str:
    """Return the device to run on, ``cpu`` or ``cuda``.

    Args:
        asked: The device that was asked for.
        field: The field or option that asks, for messages.

    Raises:
        DistillgameError: If a GPU is asked for and there is none.
    """
    import torch

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise DistillgameError(f"{field}: 'cuda' is asked for, but PyTorch finds no GPU; use 'auto' or 'cpu'")
    return asked
