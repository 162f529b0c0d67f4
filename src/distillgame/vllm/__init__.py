"""Defended decoding inside vLLM: an architecture of a teacher and its proxies, whose logits are the released ones.

vLLM is no dependency. :func:`register` is an entry point of the group ``vllm.general_plugins``, which vLLM calls in
each of its processes; only then the architecture is imported.
"""

from distillgame.errors import DistillgameError
from distillgame.vllm.settings import ARCHITECTURE, COSTS, POLICY, PREFIX, SECRET, SECRET_ENV, DefenseSettings

SUPPORTED = ("0.32.",)
"""Beginnings of the versions of vLLM whose source was read and against which the tests pass."""

__all__ = [
    "ARCHITECTURE",
    "COSTS",
    "POLICY",
    "PREFIX",
    "SECRET",
    "SECRET_ENV",
    "SUPPORTED",
    "DefenseSettings",
    "register",
    "require_version",
]


def require_version(version: str) -> None:
    """Check that a version of vLLM is one that is known.

    Args:
        version: The version, as in ``0.32.0+cpu``.

    Raises:
        DistillgameError: If it is not: rows of another version might be assigned to the wrong requests.
    """
    if not version.startswith(SUPPORTED):
        known = ", ".join(f"{each}*" for each in SUPPORTED)
        raise DistillgameError(
            f"vLLM {version}: the plugin knows {known} only: install one of these, or read in docs/vllm.md what "
            "another version takes"
        )


def register() -> None:
    """Make the architecture known to vLLM.

    Without it a model of that architecture does not load, so that a broken plugin stops the server.
    """
    from vllm import ModelRegistry

    ModelRegistry.register_model(ARCHITECTURE, "distillgame.vllm.model:DefendedForCausalLM")
