"""A model as stages refer to it: its name and the hash of its files."""

import gc
from functools import lru_cache
from typing import Any

from pydantic import field_serializer

from distillgame.models import LanguageModel, ModelSpec, fingerprint, load_model, pinned
from distillgame.strict import Strict


class Model(Strict):
    """A model and the hash of its files.

    Attributes:
        spec: How it is named.
        hash: From :func:`distillgame.models.fingerprint`.
    """

    spec: ModelSpec
    hash: str

    @field_serializer("spec")
    def _without_estimates(self, spec: ModelSpec) -> dict[str, Any]:
        # No result depends on the stated shape of its cache, and so no stage's key.
        return spec.model_dump(mode="json", exclude={"cache"})

    @classmethod
    def of(cls, spec: ModelSpec, resolve: bool = True) -> "Model":
        """Fingerprint a model; without ``resolve`` nothing is read, and the stage can be described but not run."""
        if not resolve:
            return cls(spec=spec, hash="")
        return cls(spec=pinned(spec), hash=fingerprint(pinned(spec)))

    def load(self, device: str) -> LanguageModel:
        """Load it; the last few are kept in memory and must not be changed."""
        return _load(self, device)


def forget_models() -> None:
    """Free the memory of models that were kept, that of GPUs included."""
    import torch

    _load.cache_clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@lru_cache(maxsize=4)
def _load(model: Model, device: str) -> LanguageModel:
    return load_model(model.spec, device)
