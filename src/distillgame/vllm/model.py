"""The architecture: the teacher and its proxies as one model, whose logits are what a policy releases."""

import os
from collections.abc import Iterable
from itertools import groupby
from typing import Any, ClassVar

import torch
import vllm
from torch import nn
from transformers import AutoConfig
from vllm.compilation.backends import set_model_tag
from vllm.config import VllmConfig
from vllm.logger import init_logger
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
from vllm.model_executor.models.interfaces import SupportsLoRA, supports_lora
from vllm.model_executor.models.utils import WeightsMapper, init_vllm_registered_model

from distillgame.errors import DistillgameError
from distillgame.models import load_without_weights
from distillgame.vllm import require_version
from distillgame.vllm.experts import ProxyNetworks, proxy_networks
from distillgame.vllm.launching import require_context
from distillgame.vllm.padding import SMALLEST, HeadPadding
from distillgame.vllm.releasing import Releaser
from distillgame.vllm.rows import RequestRows
from distillgame.vllm.runners import follow
from distillgame.vllm.settings import SECRET_ENV, DefenseSettings
from distillgame.vllm.vocabulary import shared_tokens

TEACHER = "teacher"

# vLLM shows loggers below its own.
logger = init_logger("vllm.distillgame")


class DefendedForCausalLM(nn.Module, SupportsLoRA):  # type: ignore[misc]
    """A teacher and its proxies, which read the same tokens; its logits are the released ones.

    Args:
        vllm_config: vLLM's configuration of the teacher, with :class:`DefenseSettings` among its overrides.
        prefix: Beginning of the names of its layers.

    Raises:
        DistillgameError: If the version of vLLM is unknown, or the settings are not valid.
    """

    is_text_generation_model: ClassVar[bool] = True

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = ""):
        super().__init__()
        require_version(vllm.__version__)
        config = vllm_config.model_config
        self.config = config.hf_config
        self.settings = DefenseSettings.of(self.config)
        _require_sound(vllm_config, self.settings)
        original = AutoConfig.from_pretrained(config.model, trust_remote_code=config.trust_remote_code)
        self._padding = HeadPadding(self.config)
        with set_model_tag(TEACHER):
            self.teacher = init_vllm_registered_model(
                vllm_config,
                prefix=f"{prefix}{TEACHER}",
                hf_config=self._padding.config,
                architectures=original.architectures,
            )
        if vllm_config.lora_config is not None:
            if self._padding.pads:
                raise DistillgameError(f"adapters do not fit heads that are padded to {SMALLEST} dimensions")
            _require_adaptable(self.teacher)
            # Adapters name the teacher's layers as if it were alone.
            self.packed_modules_mapping = self.teacher.packed_modules_mapping
            self.hf_to_vllm_mapper = WeightsMapper(orig_to_new_prefix={"": f"{TEACHER}."})
        configs = {name: AutoConfig.from_pretrained(path) for name, path in self.settings.proxies.items()}
        for name, each in configs.items():
            require_context(name, each, int(config.max_model_len))
        self.networks: dict[str, ProxyNetworks] = {}
        for place, (name, each) in enumerate(configs.items()):
            made = proxy_networks(name, each, vllm_config, f"{prefix}proxy_{chr(97 + place)}", self.settings)
            self.networks[name] = made
            for key, network in made.modules().items():
                self.add_module(key, network)
        self.secondary_weights = [
            DefaultModelLoader.Source(self.settings.proxies[name], None, prefix=f"{made.prefix}.")
            for name, made in self.networks.items()
        ]
        proxies = {name: load_without_weights(source) for name, source in self.settings.proxies.items()}
        teacher = load_without_weights(config.model)
        self._shared = shared_tokens(teacher, proxies)
        for notice in self._shared.notices(teacher, proxies):
            logger.warning_once(notice, scope="global")
        self._inputs = {name: _on_device(table) for name, table in self._shared.inputs.items()}
        self.releaser = Releaser(self.settings, self._shared)
        self.known_rows: dict[str, RequestRows] = {}
        self._widths = [
            int(each.get_text_config().hidden_size)
            for each in (self.config, *(configs[name] for name, made in self.networks.items() for _ in made.networks))
        ]
        follow()

    @property
    def secret(self) -> str | None:
        """The secret of requests that may choose their policy."""
        return os.environ.get(SECRET_ENV) or None

    def embed_input_ids(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return the teacher's embeddings; vLLM asks for them to know that the model reads tokens."""
        embeddings: torch.Tensor = self.teacher.embed_input_ids(input_ids)
        return embeddings

    def forward(
        self,
        input_ids: torch.Tensor,
        positions: torch.Tensor,
        intermediate_tensors: Any = None,
        inputs_embeds: torch.Tensor | None = None,
        **others: Any,
    ) -> torch.Tensor:
        """Return the last hidden states of all networks side by side, shape (T, sum of their sizes)."""
        if intermediate_tensors is not None or inputs_embeds is not None:
            raise RuntimeError("distillgame: pipeline parallelism and embedded prompts are not supported")
        states = [self.teacher(input_ids, positions)]
        for name, made in self.networks.items():
            table = self._inputs[name]
            own = input_ids if table is None else table[input_ids.long()].to(input_ids.dtype)
            states += [network(own, positions) for network in made.networks]
        return torch.cat(states, -1)

    def compute_logits(self, hidden_states: torch.Tensor) -> torch.Tensor | None:
        """Return released logits, float32, shape (N, V); None on ranks that do not sample."""
        first, *others = torch.split(hidden_states, self._widths, -1)
        teacher = self.teacher.compute_logits(first)
        networks = [network for made in self.networks.values() for network in made.networks]
        outputs = [network.compute_logits(part) for network, part in zip(networks, others, strict=True)]
        if teacher is None:
            self.releaser.rows.announce(None)
            return None
        columns = iter(output.float() for output in outputs)
        experts = {name: [next(columns) for _ in made.networks] for name, made in self.networks.items()}
        return self.releaser.release(teacher.float(), experts)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Load the teacher's weights and then each proxy's, and return the names of the parameters that got one."""
        prefixes = {made.prefix: made for made in self.networks.values()}

        def part(pair: tuple[str, torch.Tensor]) -> str:
            prefix = pair[0].split(".", 1)[0]
            return prefix if prefix in prefixes else TEACHER

        loaded: set[str] = set()
        for prefix, group in groupby(weights, part):
            if prefix == TEACHER:
                loaded |= {f"{TEACHER}.{name}" for name in self.teacher.load_weights(self._padding.apply(group))}
            else:
                loaded |= prefixes[prefix].load((name.split(".", 1)[1], tensor) for name, tensor in group)
        return loaded


def _on_device(table: torch.Tensor | None) -> torch.Tensor | None:
    # vLLM builds models under the device as a context; the table was made from lists.
    return None if table is None else table.to(torch.get_default_device())


def _require_adaptable(teacher: Any) -> None:
    """Refuse architectures that take no adapters, or rename weights: adapters would be left out without a word."""
    mapper = getattr(teacher, "hf_to_vllm_mapper", None)
    if not supports_lora(teacher) or (mapper is not None and any(vars(mapper.get_rename_mapper()).values())):
        raise DistillgameError(f"adapters of {type(teacher).__name__} are not supported: train students whole")


def _require_sound(vllm_config: VllmConfig, settings: DefenseSettings) -> None:
    """Refuse what would serve something else than the policy's distribution."""
    if vllm_config.use_v2_model_runner:
        raise DistillgameError("vLLM's second model runner is not supported: set VLLM_USE_V2_MODEL_RUNNER=0")
    if vllm_config.parallel_config.pipeline_parallel_size > 1:
        raise DistillgameError("pipeline parallelism is not supported: use --tensor-parallel-size")
    if vllm_config.lora_config is not None and settings.proxies:
        raise DistillgameError("adapters are for teachers without proxies: merge them into a folder of its own")
    if settings.directions and vllm_config.model_config.dtype != torch.float32:
        raise DistillgameError(
            f"'directions' needs --dtype float32 (found {vllm_config.model_config.dtype}): the derivative is a "
            "difference of passes at theta ± t·g, which 16 bits do not resolve"
        )
