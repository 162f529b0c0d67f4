"""The proxies' networks inside vLLM: one each, or two at theta ± t·g where the derivative along g is needed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from vllm.compilation.backends import set_model_tag
from vllm.config import VllmConfig
from vllm.model_executor.models.utils import init_vllm_registered_model

from distillgame.decoding import DERIVATIVE_STEP
from distillgame.errors import DistillgameError
from distillgame.vllm.padding import HeadPadding
from distillgame.vllm.settings import DefenseSettings


@dataclass(frozen=True)
class ProxyNetworks:
    """One proxy's networks.

    Attributes:
        name: The name by which policies use it.
        prefix: Beginning of its weights' names.
        networks: The network itself, or those at theta + t·g and theta - t·g.
        direction: The direction g by the names of parameters; None where there is none.
        padding: How its heads are padded.
    """

    name: str
    prefix: str
    networks: tuple[Any, ...]
    direction: Mapping[str, torch.Tensor] | None
    padding: HeadPadding

    def modules(self) -> dict[str, Any]:
        """Return the networks by the names under which the model holds them."""
        return {_place(self.prefix, side, self.direction is not None): each for side, each in enumerate(self.networks)}

    def load(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Load the weights, moved along the direction, and return the names of the parameters that got one.

        Raises:
            DistillgameError: If the direction has parameters that the proxy lacks.
        """
        kept = list(weights)
        loaded: set[str] = set()
        if self.direction is not None and (unknown := self.direction.keys() - {name for name, _ in kept}):
            raise DistillgameError(
                f"directions.{self.name}: the proxy has no weights called {', '.join(sorted(unknown)[:3])}"
            )
        for place, (key, network) in enumerate(self.modules().items()):
            step = DERIVATIVE_STEP * (1 - 2 * place)
            loaded |= {f"{key}.{name}" for name in network.load_weights(self.padding.apply(self._moved(kept, step)))}
        return loaded

    def _moved(self, weights: Iterable[tuple[str, torch.Tensor]], step: float) -> Iterable[tuple[str, torch.Tensor]]:
        for name, tensor in weights:
            along = None if self.direction is None else self.direction.get(name)
            yield name, tensor if along is None else torch.add(tensor.float(), along.to(tensor.device), alpha=step)


def proxy_networks(
    name: str, config: Any, vllm_config: VllmConfig, prefix: str, settings: DefenseSettings
) -> ProxyNetworks:
    """Make a proxy's networks, without weights.

    Args:
        name: Its name.
        config: Its own configuration.
        vllm_config: vLLM's configuration of the teacher.
        prefix: Beginning of the names of its layers, without digits: vLLM reads a layer's number from its name.
        settings: The owner's settings.
    """
    direction = None
    if name in settings.directions:
        direction = _direction(name, settings.directions[name])
    padding, networks = HeadPadding(config), []
    for side in range(1 if direction is None else 2):
        place = _place(prefix, side, direction is not None)
        with set_model_tag(place):
            networks.append(init_vllm_registered_model(vllm_config, prefix=place, hf_config=padding.config))
    return ProxyNetworks(name, prefix, tuple(networks), direction, padding)


def _place(prefix: str, side: int, moved: bool) -> str:
    return f"{prefix}_{('plus', 'minus')[side]}" if moved else prefix


def _direction(name: str, path: Path) -> Mapping[str, torch.Tensor]:
    from safetensors.torch import load_file

    try:
        direction: Mapping[str, torch.Tensor] = load_file(path)
    except Exception as error:  # safetensors has errors of its own for damaged files
        raise DistillgameError(f"directions.{name}: {path}: {' '.join(str(error).split())}") from error
    return direction
