"""Attribution from end to end, on models that train in seconds."""

import json
from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.attribution import EVIDENCE, Case, Evidence, attribute, check_evidence, load_keys
from distillgame.arena.config import GameConfig
from distillgame.attribution import MarkChoice, OwnerKey
from distillgame.errors import DistillgameError
from distillgame.models import Endpoint, ModelSpec
from distillgame.policies.seeds import owner_key
from distillgame.records import ReleasedTrace, read_released, write_released
from distillgame.records.attribution import Attribution, KeyRow
from tests.endpoints import completion, endpoint

KEYED = MarkChoice(name="keyed", options={"width": 2})
STUDENT = ModelSpec(source="embedded:student")


def key(owner: str, mark: MarkChoice = KEYED) -> OwnerKey:
    return OwnerKey(owner=owner, key=owner_key(b"distillgame", owner).hex(), mark=mark)


@pytest.fixture
def game(tiny: dict[str, Any]) -> GameConfig:
    return load_config(tiny | {"compute": {"workers": 1}})


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """What an owner was released; the suspect below always gives the same answer."""
    path = tmp_path / "released.parquet"
    asked = [f"{count} dog , {more} cat" for count in range(1, 9) for more in range(1, 9)]
    write_released(
        path,
        [
            ReleasedTrace([{"role": "user", "content": text}, {"role": "assistant", "content": "4 dog : 4 x 4 = 16"}])
            for text in asked
        ],
    )
    return path


def test_a_suspect_that_never_saw_a_mark_is_not_accused(game: GameConfig, texts: Path, tmp_path: Path) -> None:
    marks = [KEYED, MarkChoice(name="watermark", options={"width": 1, "delta": 2.0})]
    keys = [key(owner, mark) for owner in ("alice", "bob") for mark in marks]
    case = Case(STUDENT, keys, {"alice": texts})
    found = attribute(case, game, tmp_path / "run", progress=False)
    assert found.owners == []
    assert [(row.owner, row.own_texts, row.texts) for row in found.keys] == [
        ("alice", True, 64), ("alice", True, 64), ("bob", False, 12), ("bob", False, 12),
    ]  # fmt: skip
    evidence = check_evidence(tmp_path / "run" / EVIDENCE)
    assert evidence.accused == []
    assert evidence.verdict.startswith("Nobody is named")
    assert evidence.positions == []
    assert [source.owner for source in evidence.sources] == [None]
    assert not any(each.key in (tmp_path / "run" / EVIDENCE).read_text() for each in keys)
    again = attribute(case, game, tmp_path / "run", progress=False)
    assert again == found


@pytest.fixture
def accusation(game: GameConfig, texts: Path, tmp_path: Path) -> Path:
    """Evidence against whoever held the key by which a suspect's answers were chosen."""
    from distillgame.decoding import Engine, Request
    from distillgame.models import load_model
    from distillgame.policies import make_policy

    engine = Engine(load_model(ModelSpec(source="embedded:teacher")), make_policy("keyed", {"width": 2}), batch_size=64)
    asked = [trace.messages[:-1] for trace in read_released(texts)]
    hot = game.sampling.params().model_copy(update={"temperature": 3.0, "forced_answer_tokens": 0})
    samples = engine.generate([Request(json.dumps(messages), messages) for messages in asked], hot)
    said = {sample.id: sample.completion for sample in samples}

    def answer(body: dict[str, Any], _: int) -> Any:
        return completion(said[json.dumps(body["messages"])])

    warm = load_config(game, overrides={"sampling.temperature": 3.0})
    with endpoint(answer) as listening:
        suspect = Endpoint(endpoint=listening.url, model="suspect")
        case = Case(suspect, [key("alice"), key("owner"), key("bob")], {None: texts}, ledger="digest")
        found = attribute(case, warm, tmp_path / "run", progress=False)
    assert found.owners == ["owner"]
    return tmp_path / "run" / EVIDENCE


def test_a_black_box_that_says_what_the_key_chose_is_found(accusation: Path) -> None:
    evidence = check_evidence(accusation)
    assert [each.owner for each in evidence.accused] == ["owner"]
    assert evidence.suspect["model"] == "suspect"
    assert evidence.ledger == "digest"
    assert evidence.sources[0].texts.startswith("what it answered, at temperature 1, to the prompts of")
    text = accusation.read_text()
    assert key("owner").key in text
    for other in ("alice", "bob"):
        assert key(other).key not in text
        assert other not in text
    assert [row.owner for row in evidence.found.keys] == ["other owner 1", "owner", "other owner 2"]


@pytest.mark.parametrize(
    ("significant", "named"),
    [
        ([], ["other owner 3"]),
        (["other owner 1"], ["other owner 1"]),
        (["a", "b"], ["a", "b"]),
        (["a", "b", "c", "d", "e", "f", "other owner 3"], ["a", "b", "c", "d", "e"]),
    ],
)
def test_evidence_names_those_in_the_verdict_and_numbers_the_others(significant: list[str], named: list[str]) -> None:
    """Also where an owner is called as a number is, and where a verdict counts those it does not name."""
    owners = ["a", "b", "c", "d", "e", "f", "other owner 1", "other owner 3"]
    found = Attribution(
        alpha=1e-3,
        bits_needed=13,
        unused_keys=999,
        keys=[
            KeyRow(
                owner=owner, epoch=0, mark="keyed", own_texts=False, texts=9, contexts=9, bits_per_text=1.0, z=1.0,
                p_value=0.5 - 0.01 * number, corrected=1e-9 if owner in significant else 1.0,
                significant=owner in significant,
            )
            for number, owner in enumerate(owners)
        ],
    )  # fmt: skip
    about: dict[str, Any] = {"suspect": {}, "reference": {}, "sources": [], "versions": {}}
    evidence = Evidence.of(found, [key(owner) for owner in owners], {}, **about)
    assert evidence.verdict == evidence.found.verdict == found.verdict
    shown = [row.owner for row in evidence.found.keys]
    assert len(set(shown)) == len(owners)
    assert [owner for owner in owners if owner in shown] == named
    assert [each.owner for each in evidence.accused] == (named if len(named) == len(significant) == 1 else [])
    silent = found.model_copy(update={"keys": [row.model_copy(update={"contexts": 0}) for row in found.keys]})
    if not significant:
        numbered = Evidence.of(silent, [key(owner) for owner in owners], {}, **about).found
        assert not {row.owner for row in numbered.keys} & set(owners)


def rows(data: dict[str, Any]) -> list[Any]:
    found: list[Any] = data["positions"][0]["data"]["positions"]
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["found"]["keys"][1].update(z=99.0), "'z' of 'owner' comes out as"),
        (lambda data: data["accused"][0].update(key="ab" * 32), "of 'owner' comes out as"),
        (lambda data: data["accused"].clear(), "are not those that name an owner"),
        (lambda data: data["found"]["keys"][0].update(p_value=1e-9), "is not Holm's"),
        (lambda data: data.update(verdict="guilty"), "the verdict does not follow"),
        (lambda data: data["positions"][0]["data"]["positions"].pop(), "of 'owner' comes out as"),
        (lambda data: data.pop("suspect"), "'suspect' is missing"),
        (lambda data: data.update(positions=[]), "no text was read for contexts of 2 tokens"),
        (lambda data: data["found"].update(keys=[]), "keys"),
        (lambda data: data["found"]["keys"].append(data["found"]["keys"][1]), "among the tests twice"),
        (lambda data: data["found"].update(unused_keys=-1), "its null has -1 draws"),
        (lambda data: data["found"].update(bits_needed=1.0), "'bits_needed' does not follow"),
        (lambda data: data["found"].update(alpha=2.0), "alpha"),
        (lambda data: rows(data).append(rows(data)[0]), "twice"),
        (lambda data: rows(data)[0].__setitem__(1, -1), "malformed"),
        (lambda data: rows(data)[0].__setitem__(1, 10**40), "malformed"),
        (lambda data: data["found"]["keys"][1].update(bits_per_text=99.0), "'bits_per_text' of 'owner'"),
    ],
)
def test_evidence_that_was_touched_is_refused(accusation: Path, change: Any, said: str) -> None:
    data = json.loads(accusation.read_text())
    change(data)
    accusation.write_text(json.dumps(data))
    with pytest.raises(DistillgameError, match=said):
        check_evidence(accusation)


def test_fresh_answers_depend_on_prompts_alone(game: GameConfig, texts: Path, tmp_path: Path) -> None:
    """Two files with the same prompts and other completions: the same tests, and others than on the texts."""
    other, keys = tmp_path / "other.parquet", [key("alice"), key("bob")]
    write_released(
        other,
        (ReleasedTrace([*t.messages[:-1], {"role": "assistant", "content": "1 dog"}]) for t in read_released(texts)),
    )
    fresh, again = (
        attribute(Case(STUDENT, keys, {"alice": path}, fresh=True), game, tmp_path / path.stem, progress=False)
        for path in (texts, other)
    )
    assert fresh == again
    assert attribute(Case(STUDENT, keys, {"alice": texts}), game, tmp_path / "run", progress=False) != fresh
    assert fresh.keys[0].texts == 64
    cases = [
        (Case(STUDENT, keys, fresh=True), "--fresh: there are no prompts"),
        (Case(STUDENT, keys, {None: texts}, fresh=True, black_box=True), "--fresh: what the suspect writes"),
    ]
    for case, said in cases:
        with pytest.raises(DistillgameError, match=said):
            attribute(case, game, tmp_path / "run", progress=False)


def test_bad_cases_are_refused_in_words(game: GameConfig, texts: Path, tmp_path: Path) -> None:
    cases = [
        (Case(STUDENT, []), "names no key"),
        (Case(STUDENT, [key("a")], alpha=2.0), "--alpha: 2.0"),
        (Case(STUDENT, [key("a"), key("a")]), "is there twice"),
        (Case(STUDENT, [key("a")], {"b": texts}), "'b' has no key among those tested: a"),
        (Case(STUDENT, [key("a")], split="trian"), "split 'trian' has no problems"),
        (Case(ModelSpec(source="embedded:student-bpe"), [key("a")], {None: texts}), "let it write texts instead"),
    ]
    for case, said in cases:
        with pytest.raises(DistillgameError, match=said):
            attribute(case, game, tmp_path / "run", progress=False)
    greedy = load_config(game, overrides={"sampling.temperature": 0})
    with pytest.raises(DistillgameError, match="greedy text carries no mark"):
        attribute(Case(STUDENT, [key("a")], {None: texts}), greedy, tmp_path / "run", progress=False)
    for named, said in (("nowhere.yaml", "no such file"), (f"sqlite:///{tmp_path}/none.db", "none.db")):
        with pytest.raises(DistillgameError, match=said):
            load_keys(named)
