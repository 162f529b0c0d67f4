"""The size of a model, found without downloading or loading it."""

import re
from functools import lru_cache

from distillgame.errors import DistillgameError
from distillgame.models.spec import ModelSpec, locate


@lru_cache(maxsize=64)
def count_parameters(spec: ModelSpec) -> float | None:
    """Return a model's number of parameters: counted where its files are here, else as stated, else as its name says.

    Returns:
        The number, or None if nothing tells it.
    """
    if spec.parameters is not None:
        return spec.parameters
    try:
        location = locate(spec.source)
        if location.local and location.gguf_file is None and not spec.source.startswith("init:"):
            import torch
            from transformers import AutoConfig, AutoModelForCausalLM

            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(location.name))
            return float(sum(p.numel() for p in model.parameters()))
    except (DistillgameError, OSError, ValueError):
        pass
    named = re.search(r"(\d+(?:\.\d+)?)([BM])\b", spec.source, re.IGNORECASE)
    return None if named is None else float(named[1]) * (1e9 if named[2].upper() == "B" else 1e6)
