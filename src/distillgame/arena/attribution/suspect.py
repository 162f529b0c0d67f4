"""Attribution of a given model: whose marked text it was trained on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distillgame.arena.attribution.evidence import EVIDENCE, Evidence, Source
from distillgame.arena.config import GameConfig
from distillgame.arena.plan import STANDARD, Planner
from distillgame.arena.precision import settled
from distillgame.arena.run import Run
from distillgame.arena.stages import (
    POSITIONS,
    TRACES,
    AnswerStage,
    GivenStage,
    Model,
    ReadStage,
    TracesStage,
    author_of,
    library_versions,
)
from distillgame.arena.store import write_text
from distillgame.attribution import (
    ALPHA,
    Attributor,
    OwnerKey,
    from_data,
    require_different,
    require_same_tokens,
)
from distillgame.errors import DistillgameError
from distillgame.models import Endpoint, WriterSpec, load_without_weights
from distillgame.records.attribution import Attribution


@dataclass(frozen=True)
class Case:
    """A suspect, and all that is known of it.

    Attributes:
        suspect: The suspect: a model with open weights, or one behind an endpoint.
        keys: The keys that are tested.
        texts: Files of released texts, by the owner who was released them; those under None are nobody's in
            particular. Without any, held-out prompts of the game are used.
        black_box: Whether only what the suspect writes is used, although its weights are open.
        fresh: Whether the teacher's unmarked answers to the prompts of the texts are read instead of the texts, so that
            nothing that is read depends on a key.
        split: The split of held-out prompts.
        alpha: Level of the corrected p-values.
        ledger: Digest of the ledger from which the keys are.
    """

    suspect: WriterSpec
    keys: Sequence[OwnerKey]
    texts: Mapping[str | None, Path] = field(default_factory=dict)
    black_box: bool = False
    fresh: bool = False
    split: str = "validation"
    alpha: float = ALPHA
    ledger: str | None = None

    @property
    def writes(self) -> bool:
        """True if the suspect is known by what it writes alone."""
        return self.black_box or isinstance(self.suspect, Endpoint)


def attribute(case: Case, config: GameConfig, out: Path, progress: bool = True) -> Attribution:
    """Test every key and write the evidence to ``evidence.json``.

    Args:
        case: What is known of the suspect.
        config: The game that says who the teacher is and how it is sampled, and whose prompts are held out.
        out: The run's folder; a killed run goes on there.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If an input is bad.
    """
    if not case.keys:
        raise DistillgameError("--keys: names no key to be tested")
    if not 0 < case.alpha < 1:
        raise DistillgameError(f"--alpha: {case.alpha} is not above 0 and below 1")
    if case.fresh and case.writes:
        raise DistillgameError("--fresh: what the suspect writes is read, and not the teacher's answers: leave it out")
    if case.fresh and not case.texts:
        raise DistillgameError("--fresh: there are no prompts to be answered again: give --texts")
    require_different(case.keys, "--keys")
    config = settled(config, out, progress)
    sources = _sources(case, config)
    stages = _stages(case, config, sources)
    with Run(out, config, progress) as run:
        run.compute(list(stages.values()), last=True)
        files = {name: run.folder(stage) / POSITIONS for name, stage in stages.items()}
        hashes = {owner: _digest(run.folder(stage.texts) / TRACES) for (owner, _), stage in stages.items()}
    data = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in files.items()}
    positions = {name: from_data(each, str(files[name])) for name, each in data.items()}
    found = Attributor(positions).attribute(case.keys, case.alpha)
    evidence = Evidence.of(
        found,
        case.keys,
        data,
        suspect=_described(case.suspect),
        reference=_described(config.teacher) | {"temperature": config.sampling.temperature},
        sources=[
            Source(owner=owner, texts=_words(stage, case), count=stage.count, sha256=hashes[owner])
            for owner, stage in sources.items()
            if owner is None or found.owners == [owner]
        ],
        versions=library_versions(),
        ledger=case.ledger,
    )
    write_text(out / EVIDENCE, evidence.model_dump_json(indent=1) + "\n")
    return found


def _sources(case: Case, config: GameConfig) -> dict[str | None, TracesStage]:
    """Return the texts, by the owner who was released them."""
    named = {key.owner for key in case.keys}
    found: dict[str | None, TracesStage] = {}
    for owner, path in case.texts.items():
        if owner is not None and owner not in named:
            raise DistillgameError(f"--texts: '{owner}' has no key among those tested: {_few(named)}")
        found[owner] = GivenStage.of(path)
    if None not in found and not named <= set(found):
        if config.splits.get(case.split, 0) < 2:
            raise DistillgameError(f"split '{case.split}' has no problems: set splits.{case.split}, or give --texts")
        found[None] = Planner(config).sample(STANDARD, case.split, config.seeds[0])
    return found


def _stages(
    case: Case, config: GameConfig, sources: Mapping[str | None, TracesStage]
) -> dict[tuple[str | None, int], ReadStage]:
    """Return the stages that read the texts, by owner and width of contexts."""
    temperature = config.sampling.temperature
    if temperature == 0:
        raise DistillgameError("sampling.temperature: greedy text carries no mark; set the one of the release")
    suspect = None if case.writes or isinstance(case.suspect, Endpoint) else Model.of(case.suspect)
    if suspect is not None:
        # Reading would find it out, too, but after the texts are there.
        require_same_tokens(load_without_weights(suspect.spec), load_without_weights(config.teacher))
    stages = {}
    for owner, source in sources.items():
        texts = _read(case, config, source)
        for width in {key.mark.policy.width for key in case.keys if owner in (None, key.owner)}:
            stages[owner, width] = ReadStage(
                texts=texts,
                reference=Model.of(config.teacher),
                temperature=temperature,
                width=width,
                suspect=suspect,
            )
    return stages


def _read(case: Case, config: GameConfig, source: TracesStage) -> TracesStage:
    """Return the texts that are read in place of a source: its own, or answers to its prompts."""
    if case.writes:
        asking = config.evaluation.model_copy(update={"temperature": 1.0, "forced_answer_tokens": 0})
        return AnswerStage(prompts=source, author=author_of(case.suspect), sampling=asking, seed=config.seeds[0])
    if case.fresh and isinstance(source, GivenStage):
        asking = config.sampling.model_copy(update={"forced_answer_tokens": 0, "top_logprobs": 0})
        return AnswerStage(prompts=source, author=author_of(config.teacher), sampling=asking, seed=config.seeds[0])
    return source


def _described(spec: WriterSpec) -> dict[str, object]:
    """Return a model's name, and the hash of its files where there are any."""
    if isinstance(spec, Endpoint):
        return {"endpoint": spec.endpoint, "model": spec.model}
    model = Model.of(spec)
    return {"model": spec.name, "sha256": model.hash}


def _words(stage: TracesStage, case: Case) -> str:
    if case.writes:
        return f"what it answered, at temperature 1, to the prompts of: {stage.label}"
    fresh = case.fresh and isinstance(stage, GivenStage)
    return f"what the teacher answered, without a mark, to the prompts of: {stage.label}" if fresh else stage.label


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _few(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
