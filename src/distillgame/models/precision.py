"""The precision that a checkpoint is stored in, where ``dtype: auto`` leaves a choice."""

import torch

from distillgame.models.spec import ModelSpec, locate


def has_choice(spec: ModelSpec, device: str | torch.device) -> bool:
    """Return whether a model may run in float32 as well as in bfloat16 without losing a bit of its weights.

    It may on a CPU, if its ``dtype`` is ``auto`` and its checkpoint is stored in bfloat16. Any other is read in float32
    there: rounding it would make it another model.

    Raises:
        DistillgameError: If the source does not exist.
    """
    if spec.dtype != "auto" or torch.device(device).type != "cpu" or spec.source.startswith("init:"):
        return False
    location = locate(spec.source)
    if location.gguf_file is not None:
        return False
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(location.name, **location.keywords())
    except (OSError, ValueError):
        return False  # adapters, or damaged: loading says what is wrong
    stored = getattr(config.get_text_config(), "dtype", None) or getattr(config, "dtype", None)
    return stored in (torch.bfloat16, "bfloat16")
