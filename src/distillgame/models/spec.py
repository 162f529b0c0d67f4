"""Model specifications in configurations, and the files and hashes they stand for."""

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from distillgame.errors import DistillgameError
from distillgame.models.footprint import CacheShape
from distillgame.strict import Strict

EMBEDDED = Path(__file__).parent / "embedded"
"""The folder of the shipped checkpoints."""

ADAPTER = "adapter_config.json"
"""The file by which a folder of PEFT adapters is recognised."""

PROMPTS = (
    "PROMPT_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "PREFIX_TUNING",
    "P_TUNING",
    "ADAPTION_PROMPT",
    "CPT",
    "CARTRIDGE",
)
"""Kinds of PEFT that read trained vectors before the prompt."""

INIT = re.compile(r"init:(\d+)x(\d+)$")


class ModelSpec(Strict):
    """A model as a configuration names it; a plain string stands for its ``source``.

    Attributes:
        source: One of ``embedded:NAME`` (a shipped checkpoint), a local folder, a local ``.gguf`` file,
            ``package:MODULE/FILE.gguf`` (a file inside an installed Python package), ``init:WIDTHxLAYERS`` (random
            weights in the embedded architecture) or a hub name, optionally ``NAME@REVISION``.
        tokenizer: Another source whose tokenizer is used; required for ``init:``.
        chat_template: ``plain``, ``chatml``, or another source whose chat template is used.
        dtype: ``auto`` is the checkpoint's own type on a GPU and float32 on a CPU; there games and servers settle it
            first, by timing, for teachers and proxies stored in bfloat16.
        seed: Seed of the random weights of ``init:``.
        parameters: Number of parameters, for estimates when the model is not on this machine.
        cache: Shape of its keys and values, likewise.
    """

    source: str
    tokenizer: str | None = None
    chat_template: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    seed: int = 0
    parameters: float | None = Field(None, gt=0)
    cache: CacheShape | None = Field(None, exclude_if=lambda cache: cache is None)

    @property
    def name(self) -> str:
        """The last part of the source, for labels."""
        return self.source.rstrip("/").rsplit("/", 1)[-1].partition("@")[0]

    def in_full_precision(self) -> "ModelSpec":
        """Return the same model in float32 if ``dtype`` is ``auto``: training and derivatives need the precision."""
        return self.model_copy(update={"dtype": "float32"}) if self.dtype == "auto" else self

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, data: Any) -> Any:
        return {"source": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> "ModelSpec":
        if self.source.startswith("init:"):
            if INIT.match(self.source) is None:
                raise ValueError(f"'{self.source}' is not of the form init:WIDTHxLAYERS, as in init:128x4")
            if self.tokenizer is None:
                raise ValueError(f"'{self.source}' needs 'tokenizer': the source whose tokenizer it shares")
        return self


@dataclass(frozen=True)
class Location:
    """The location of a source's files.

    Attributes:
        name: A local folder or a hub name, as ``from_pretrained`` takes it.
        revision: The hub revision, if given.
        gguf_file: The GGUF file inside ``name``, if the source is one.
        local: Whether the files are on this machine already.
    """

    name: str
    revision: str | None = None
    gguf_file: str | None = None
    local: bool = True

    def keywords(self) -> dict[str, str]:
        """Return the keyword arguments of ``from_pretrained`` besides the name."""
        pairs = {"revision": self.revision, "gguf_file": self.gguf_file}
        return {key: value for key, value in pairs.items() if value is not None}


def locate(source: str) -> Location:
    """Resolve a source string (see :class:`ModelSpec`), without loading or downloading anything.

    Raises:
        DistillgameError: If a shipped name, a package or a local file does not exist.
    """
    if source.startswith("embedded:"):
        folder = EMBEDDED / source.removeprefix("embedded:")
        if not (folder / "config.json").is_file():
            known = sorted(path.name for path in EMBEDDED.glob("*") if path.is_dir())
            raise DistillgameError(f"model '{source}': no such embedded model; choose one of {', '.join(known)}")
        return Location(str(folder))
    if source.startswith("package:"):
        return _locate_gguf(_package_file(source), source)
    if source.endswith(".gguf"):
        return _locate_gguf(Path(source).expanduser(), source)
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not _is_model(folder):
            raise DistillgameError(f"model '{source}': the folder has no config.json, so it is not a model")
        return Location(str(folder))
    if source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise DistillgameError(f"model '{source}': no such folder")
    name, _, revision = source.partition("@")
    return Location(name, revision or None, local=False)


def fingerprint(spec: ModelSpec) -> str:
    """Return a hash that changes whenever the model's behaviour might.

    Local files are hashed whole; a hub name is resolved to its commit.

    Raises:
        DistillgameError: If a source cannot be found or the hub cannot be reached.
    """
    parts = [spec.model_dump_json(exclude={"parameters", "cache"})]
    if not spec.source.startswith("init:"):
        parts.append(_source_fingerprint(spec.source))
    parts += [_source_fingerprint(spec.tokenizer)] if spec.tokenizer else []
    if spec.chat_template and spec.chat_template not in ("plain", "chatml"):
        parts.append(_source_fingerprint(spec.chat_template))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def pinned(spec: ModelSpec) -> ModelSpec:
    """Return the same model with hub names resolved to commits, so that the files hashed are the files loaded.

    Raises:
        DistillgameError: If a source cannot be found or the hub cannot be reached.
    """
    sources = {"source": spec.source, "tokenizer": spec.tokenizer, "chat_template": spec.chat_template}
    named = {field: source for field, source in sources.items() if source and source not in ("plain", "chatml")}
    return spec.model_copy(update={field: _pin(source) for field, source in named.items()})


def _pin(source: str) -> str:
    if source.startswith("init:") or (location := locate(source)).local:
        return source
    return _hub_commit(location.name, location.revision)


def _source_fingerprint(source: str) -> str:
    location = locate(source)
    if not location.local:
        return _hub_commit(location.name, location.revision)
    folder = Path(location.name)
    paths = [folder / location.gguf_file] if location.gguf_file else sorted(p for p in folder.iterdir() if p.is_file())
    hashes = [_file_hash(path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths]
    return "\n".join(hashes + _base_fingerprint(folder, source))


def _base_fingerprint(folder: Path, source: str) -> list[str]:
    """Return the base model's fingerprint if the folder holds adapters, whose behaviour depends on it."""
    if not (folder / ADAPTER).is_file():
        return []
    base = adapter_base(folder, source)
    return [base if base.startswith("init:") else _source_fingerprint(base)]


def adapter_base(folder: Path, source: str) -> str:
    """Return the source of the base model that the adapters in ``folder`` name.

    Raises:
        DistillgameError: If the configuration is corrupt, names no base, or is of prompts instead of adapters.
    """
    try:
        config = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        base, kind = config.get("base_model_name_or_path"), config.get("peft_type")
    except (OSError, ValueError, AttributeError) as error:
        raise DistillgameError(f"model '{source}': {ADAPTER} is corrupt") from error
    if kind in PROMPTS:
        raise DistillgameError(
            f"model '{source}': '{kind}' adds prompts instead of weights, and cannot be merged into the base model; "
            "use LoRA or another adapter of weights"
        )
    if not isinstance(base, str) or not base:
        raise DistillgameError(f"model '{source}': {ADAPTER} names no base model in 'base_model_name_or_path'")
    beside = folder / base
    return str(beside) if _is_model(beside) and not _is_model(Path(base)) else base


def _is_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("config.json", ADAPTER))


def tokenizer_source(source: str) -> str:
    """Return the source whose tokenizer belongs to ``source``: the base's, for adapters that bring none."""
    if source.startswith("init:"):
        return source
    folder = Path(locate(source).name)
    own = any((folder / name).is_file() for name in ("tokenizer_config.json", "tokenizer.json", "tokenizer.model"))
    return source if own or not (folder / ADAPTER).is_file() else tokenizer_source(adapter_base(folder, source))


@lru_cache(maxsize=256)
def _file_hash(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _hub_commit(name: str, revision: str | None) -> str:
    """Return the commit that a hub name stands for; without a network, the one in the local cache."""
    from huggingface_hub import HfApi, snapshot_download

    try:
        commit = HfApi().model_info(name, revision=revision, timeout=10).sha
    except Exception:  # What the hub's client raises without a network differs between its versions.
        try:
            commit = Path(snapshot_download(name, revision=revision, local_files_only=True)).name
        except Exception as error:
            raise DistillgameError(
                f"model '{name}': not found on the hub, or the hub is out of reach; name a local folder instead"
            ) from error
    return f"{name}@{commit}"


def _package_file(source: str) -> Path:
    module, _, file = source.removeprefix("package:").partition("/")
    # The package is only located, never imported: some that carry weights import heavy dependencies.
    found = importlib.util.find_spec(module) if module else None
    if found is None or not found.submodule_search_locations:
        raise DistillgameError(f"model '{source}': the Python package '{module}' is not installed")
    return Path(found.submodule_search_locations[0]) / file


def _locate_gguf(path: Path, source: str) -> Location:
    if not path.is_file():
        raise DistillgameError(f"model '{source}': no such file {path.name}")
    return Location(str(path.parent), gguf_file=path.name)
