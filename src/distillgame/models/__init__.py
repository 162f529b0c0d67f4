"""Loading models, encoding conversations, aligning vocabularies."""

from distillgame.models.alignment import Alignment, align, common_tokens, require_alignable
from distillgame.models.chat import Example, training_example
from distillgame.models.devices import DeviceName, pick_device
from distillgame.models.endpoint import Endpoint, WriterSpec
from distillgame.models.footprint import CacheShape, Footprint, total
from distillgame.models.loading import (
    LanguageModel,
    embedded_config,
    load_model,
    load_tokenizer,
    load_without_weights,
    quiet,
)
from distillgame.models.precision import has_choice
from distillgame.models.size import cache_shape, count_parameters, local_config
from distillgame.models.spec import ADAPTER, Location, ModelSpec, fingerprint, locate, pinned

__all__ = [
    "ADAPTER",
    "Alignment",
    "CacheShape",
    "DeviceName",
    "Endpoint",
    "Example",
    "Footprint",
    "LanguageModel",
    "Location",
    "ModelSpec",
    "WriterSpec",
    "align",
    "cache_shape",
    "common_tokens",
    "count_parameters",
    "embedded_config",
    "fingerprint",
    "has_choice",
    "load_model",
    "load_tokenizer",
    "load_without_weights",
    "local_config",
    "locate",
    "pick_device",
    "pinned",
    "quiet",
    "require_alignable",
    "total",
    "training_example",
]
