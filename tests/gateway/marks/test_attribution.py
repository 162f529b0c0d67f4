"""From a running server's ledger to a verdict: a copy of what one owner was released is traced to that owner."""

import json
from pathlib import Path
from typing import Any

from distillgame.arena import load_config
from distillgame.arena.attribution import EVIDENCE, Case, attribute, check_evidence, load_keys
from distillgame.gateway.ledger import ledger_digest, open_database, reading
from distillgame.models import Endpoint
from distillgame.records import ReleasedTrace, write_released

from ...arena.conftest import TINY
from ...endpoints import completion, endpoint
from ..servers import server
from .detecting import MARKED, PROMPTS


def test_a_copy_is_traced_by_the_ledger_file_of_a_running_server(tmp_path: Path) -> None:
    asked = [[{"role": "user", "content": prompt}] for prompt in PROMPTS]
    with server(tmp_path, MARKED) as running:
        texts: dict[str, dict[str, str]] = {}
        for owner in ("ann", "bob"):
            key, texts[owner] = running.key("watermark", owner), {}
            for messages in asked:
                body = running.ask(key, messages=messages, temperature=2.0, max_tokens=48).json()
                texts[owner][json.dumps(messages)] = body["choices"][0]["message"]["content"]
        for owner in texts:
            running.settled(owner=owner)
        keys, digest = load_keys(str(running.folder / "ledger.db"))
        engine = open_database(running.url, create=False)
        with reading(engine) as connection:
            assert digest == ledger_digest(connection)
        engine.dispose()
        assert load_keys(running.url) == (keys, digest)
    assert [(each.owner, each.mark.name) for each in keys] == [("ann", "watermark"), ("bob", "watermark")]
    assert all(each.tokens for each in keys)
    released = tmp_path / "bob.parquet"
    write_released(released, [_trace(messages, texts["bob"]) for messages in asked])

    def copy(body: dict[str, Any], _: int) -> Any:
        return completion(texts["bob"][json.dumps(body["messages"])])

    game = load_config(TINY | {"compute": {"workers": 1}}, overrides={"sampling.temperature": 2.0})
    with endpoint(copy) as listening:
        suspect = Endpoint(endpoint=listening.url, model="copy")
        case = Case(suspect, keys, {None: released}, ledger=digest)
        found = attribute(case, game, tmp_path / "run", progress=False)
    assert found.owners == ["bob"]
    evidence = check_evidence(tmp_path / "run" / EVIDENCE)
    assert evidence.ledger == digest
    assert keys[0].key not in (tmp_path / "run" / EVIDENCE).read_text()


def _trace(messages: list[dict[str, str]], texts: dict[str, str]) -> ReleasedTrace:
    return ReleasedTrace([*messages, {"role": "assistant", "content": texts[json.dumps(messages)]}])
