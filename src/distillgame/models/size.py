"""The size of a model, found without downloading or loading it."""

import re
from functools import lru_cache
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.models.footprint import CacheShape
from distillgame.models.loading import embedded_config
from distillgame.models.spec import INIT, ModelSpec, locate


@lru_cache(maxsize=64)
def count_parameters(spec: ModelSpec) -> float | None:
    """Return a model's number of parameters: as stated, else counted where its files are here, else as its name says.

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


def cache_shape(spec: ModelSpec) -> CacheShape | None:
    """Return the shape of a model's keys and values: as its files here say, else as stated.

    Returns:
        The shape, or None if nothing tells it.
    """
    config = local_config(spec)
    try:
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        return CacheShape(layers=config.num_hidden_layers, heads=heads, size=size)
    except AttributeError:  # There is no configuration, or the model has no attention.
        return spec.cache


def local_config(spec: ModelSpec) -> Any:
    """Return the configuration of a model's text part, from a folder or the hub's cache; None if it is not here."""
    from transformers import AutoConfig

    if (shape := INIT.fullmatch(spec.source)) is not None:
        return embedded_config(int(shape[1]), int(shape[2]), vocabulary=1)
    try:
        location = locate(spec.source)
        found = AutoConfig.from_pretrained(location.name, **location.keywords(), local_files_only=True)
    except (DistillgameError, OSError, ValueError):
        return None
    return found.get_text_config()
