"""Checks of students' settings."""

from distillgame.errors import DistillgameError


def require_eta(student: str, eta: float) -> None:
    """Check a tilt.

    Raises:
        DistillgameError: If it is not a number at least 0.
    """
    if not 0 <= eta < float("inf"):
        raise DistillgameError(f"student '{student}': eta must be a number at least 0 (found {eta!r})")


def require_share(student: str, name: str, share: float) -> None:
    """Check a share of something.

    Raises:
        DistillgameError: If it is not above 0 and below 1.
    """
    if not 0 < share < 1:
        raise DistillgameError(f"student '{student}': {name} must be above 0 and below 1 (found {share!r})")
