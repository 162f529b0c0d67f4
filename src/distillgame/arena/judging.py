"""Judge what was released: of a finished run, or of a file of traces from elsewhere."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from distillgame.arena.config import GameConfig, load_config
from distillgame.arena.config.sections import Judging
from distillgame.arena.plan import TEST, Planner
from distillgame.arena.play import play_rounds
from distillgame.arena.precision import settled
from distillgame.arena.results.files import RESULTS
from distillgame.arena.run import Run
from distillgame.arena.stages import judged_exhibit
from distillgame.documents import read_document
from distillgame.errors import DistillgameError
from distillgame.judges import Exhibit, Judge, JudgeChoice, Tools, blinded, export_labels, judge_all
from distillgame.models import load_model, pick_device
from distillgame.records import JudgedExhibit, Results, answered_traces, read_results, read_verdicts, write_judged
from distillgame.strict import parse

CONFIG = "config.yaml"
"""The file in which a run says how it was played."""

DEFAULT = "checked"
"""The judge where none is named."""


def judge_run(root: Path, changes: Mapping[str, Any], progress: bool = True) -> Results:
    """Let judges read what the defenses of a finished run released, and write the run's results anew.

    Nothing else is computed again, and a trace that a judge has read is not read again.

    Args:
        root: The run's folder.
        changes: What replaces the run's own configuration of judges, by dotted name.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If the folder holds no finished game, or a judge cannot be asked.
    """
    game, played = _game(root, changes)
    return play_rounds(game, root, progress, before=played.command.partition("; ")[0])


def judges_of(root: Path) -> list[dict[str, Any]]:
    """Return the judges of a run as its configuration names them, :data:`DEFAULT` if it names none.

    Args:
        root: The run's folder.
    """
    config = load_config(read_document(root / CONFIG))
    return [choice.model_dump() for choice in config.judge.judges] or [{"name": DEFAULT}]


def capped(judges: Sequence[Any], tokens: int) -> list[dict[str, Any]]:
    """Return judges as configurations name them; those that ask a language model stop after so many tokens.

    A judge with a lower cap of its own keeps it.

    Args:
        judges: The judges, as in a configuration.
        tokens: Most tokens that each of them may read and write.

    Raises:
        DistillgameError: If none of them asks a language model, or a judge is not acceptable.
    """
    found = []
    for choice in parse(Judging, {"judges": list(judges)}, "--judge").judges:
        own = choice.options.get("max_tokens")
        cap = {"max_tokens": tokens if own is None else min(own, tokens)} if choice.judge.calls(1) else {}
        found.append({"name": choice.name, "options": choice.options | cap})
    if not any("max_tokens" in each["options"] for each in found):
        raise DistillgameError("--max-tokens: none of the judges asks a language model")
    return found


def preview(root: Path, changes: Mapping[str, Any]) -> list[str]:
    """Return for each judge what it would read, in a line; nothing is asked.

    Args:
        root: The run's folder.
        changes: As for :func:`judge_run`.
    """
    game, _ = _game(root, changes)
    planner, lines = Planner(game), []
    for choice in game.judge.judges:
        lines.append(_preview(choice, planner.judge(choice, TEST, game.policies).exhibits))
    return lines


def preview_file(path: Path, choices: Sequence[JudgeChoice]) -> list[str]:
    """Return for each judge what it would read of a file of traces, in a line; nothing is asked.

    Args:
        path: The file.
        choices: The judges.
    """
    count = sum(1 for _ in answered_traces(path))
    return [_preview(choice, count) for choice in choices]


def _preview(choice: JudgeChoice, exhibits: int) -> str:
    calls = choice.judge.calls(exhibits)
    return f"{choice.label}: up to {exhibits:,} exhibits, {calls:,} calls if all answers are well-formed"


def export_sheet(root: Path, changes: Mapping[str, Any], sheet: Path, rows: int, progress: bool = True) -> int:
    """Write a blinded sheet for people to fill in, and return the number of its rows.

    Args:
        root: The run's folder.
        changes: As for :func:`judge_run`.
        sheet: The CSV file, which must not exist.
        rows: How many exhibits it has at most; they are drawn at random.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If the folder holds no finished game, or the file exists.
    """
    game, _ = _game(root, changes)
    game = settled(game, root, progress)
    stage = Planner(game).judge(game.judge.judges[0], TEST, game.policies)
    with Run(root, game, progress) as run:
        run.compute(stage.releases)
        chosen = stage.batch(run.folder)[:rows]
    export_labels(sheet, chosen)
    return len(chosen)


def judge_file(path: Path, choices: list[JudgeChoice], out: Path) -> dict[str, list[JudgedExhibit]]:
    """Let judges read a file of traces from any source, and write what each says into a folder.

    Args:
        path: A file with a ``messages`` column; a column ``correct`` says which answers are right.
        choices: The judges.
        out: The folder; answers of an endpoint that are there already are not asked for again.

    Returns:
        The judged traces in the order of the file, by judge.

    Raises:
        DistillgameError: If the file holds no traces, or a judge cannot be asked.
    """
    traces, verdicts = list(answered_traces(path)), read_verdicts(path)
    asked = ["\n\n".join(message["content"] for message in trace.messages[:-1]) for trace in traces]
    turns = {question: turn for turn, question in enumerate(dict.fromkeys(asked))}
    plain = [
        Exhibit(str(i), question, trace.messages[-1]["content"], turns[question])
        for i, (question, trace) in enumerate(zip(asked, traces, strict=True))
    ]
    batch = blinded(plain, seed=0)
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for choice in choices:
        said = judge_all(choice.judge, batch.exhibits, _tools(choice.judge, out))
        places = [int(batch.originals[exhibit.id]) for exhibit in batch.exhibits]
        ordered = dict(zip(places, said, strict=True))
        found[choice.label] = [
            judged_exhibit(plain[i].text, ordered[i], "trace", str(i), path.name,
                           correct=None if verdicts is None else verdicts[i])
            for i in range(len(plain))
        ]  # fmt: skip
        write_judged(out / f"{file_name(choice, choices)}.json", found[choice.label])
    return found


def file_name(choice: JudgeChoice, choices: Sequence[JudgeChoice]) -> str:
    """Return the name of a judge's file: the judge's own, with a number where several have it.

    Args:
        choice: The judge.
        choices: All judges.
    """
    alike = [other for other in choices if other.name == choice.name]
    return choice.name if len(alike) == 1 else f"{choice.name}-{alike.index(choice) + 1}"


def _tools(judge: Judge, out: Path) -> Tools:
    device = pick_device("auto", "--traces")
    models = {name: partial(load_model, spec, device) for name, spec in judge.models.items()}
    return Tools(models=models, journal=out / f"{judge.name}.jsonl")


def _game(root: Path, changes: Mapping[str, Any]) -> tuple[GameConfig, Results]:
    """Return the configuration of a finished game with other judges, and its results so far."""
    played = read_results(root / RESULTS)
    config = load_config(read_document(root / CONFIG), overrides=changes)
    if not config.judge.judges:
        config = load_config(config, overrides={"judge.judges": [DEFAULT]})
    queries = {row.threat_model.queries for row in played.students} - {0}
    if {row.defense for row in played.teachers} != {defense.label for defense in config.policies} or len(queries) > 1:
        raise DistillgameError(f"{root}: is no single game (a sweep, an attack); judge a run of 'distillgame play'")
    return config, played
