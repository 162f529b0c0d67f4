"""Loading models, encoding conversations, aligning vocabularies."""

from distillgame.models.alignment import MINIMUM_SHARE, Alignment, align, require_alignable
from distillgame.models.chat import Example, training_example
from distillgame.models.devices import DeviceName, pick_device
from distillgame.models.endpoint import Endpoint, WriterSpec
from distillgame.models.loading import (
    LanguageModel,
    embedded_config,
    load_model,
    load_tokenizer,
    load_without_weights,
    quiet,
)
from distillgame.models.precision import has_choice
from distillgame.models.size import count_parameters
from distillgame.models.spec import ADAPTER, ModelSpec, fingerprint, locate, pinned

__all__ = [
    "ADAPTER",
    "MINIMUM_SHARE",
    "Alignment",
    "DeviceName",
    "Endpoint",
    "Example",
    "LanguageModel",
    "ModelSpec",
    "WriterSpec",
    "align",
    "count_parameters",
    "embedded_config",
    "fingerprint",
    "has_choice",
    "load_model",
    "load_tokenizer",
    "load_without_weights",
    "locate",
    "pick_device",
    "pinned",
    "quiet",
    "require_alignable",
    "training_example",
]
