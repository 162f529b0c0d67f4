"""`distillgame keys`, `ledger` and `serve` from the command line."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from distillgame.choices import NamedChoice
from distillgame.cli.main import main
from distillgame.gateway.ledger import (
    Charge,
    EntryMark,
    Ledger,
    Offer,
    Party,
    Writer,
    day_of,
    mark_text,
    open_database,
)


@dataclass
class Found:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Found]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: importing PyTorch anew for each would take most of the time."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Found:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return Found(int(ended.value.code or 0), *capfd.readouterr())

    return call


def released(folder: Path, mark: EntryMark | None = None) -> None:
    """Two requests of one key and an open lease of another."""
    import asyncio

    writer = Writer(open_database(f"sqlite:///{folder / 'distillgame.db'}"))

    async def play() -> None:
        for key, settled in (("aaa", True), ("aaa", True), ("bbb", False)):
            party = Party(key, f"owner-{key}", "standard")
            offer = Offer("poe", "poe gamma=0.5", Charge(9, 3.0, 4.0), None, mark)
            lease = await Ledger(writer).open(party, "r", [offer])
            if settled:
                await lease.cover(Charge(5, 1.0, 2.0))
                lease.settle("finished")

    asyncio.run(play())
    writer.close()


def test_a_key_is_made_listed_and_revoked(run: Run) -> None:
    made = run("keys", "create", "--owner", "acme", "--tier", "standard")
    assert made.returncode == 0
    key = made.stdout.strip()
    assert key.startswith("dg-")
    assert key not in made.stderr
    public = key.split("-")[1]
    listed = run("keys", "list").stdout
    assert public in listed
    assert "acme" in listed
    assert key not in listed
    assert "revoked" in run("keys", "revoke", public).stdout
    assert "revoked" in run("keys", "list").stdout
    assert "no such key" in run("keys", "revoke", "nothing").stderr
    assert "not flagged" in run("keys", "unflag", "nobody").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keys", "create", "--owner", "a", "--tier", "golden"], "tier 'golden': unknown; choose one of trusted"),
        (["keys", "create", "--owner", "a"], "name a --tier, or --admin"),
        (["keys", "create", "--owner", "a b", "--tier", "standard"], "owner 'a b'"),
        (["keys", "revoke", "nothing"], "no such file"),
        (["keys", "list"], "no such file"),
        (["ledger"], "no such file"),
        (["ledger", "--last", "soon"], "not a span of time"),
        (["ledger", "--ledger", "mysql://x/y"], "only sqlite and postgresql"),
        (["serve", "nowhere.yaml"], "no such configuration file"),
        (["serve", "--teacher", "embedded:nobody"], "no such embedded model"),
        (["serve", "--port", "99999"], "server.port"),
        (["serve", "--tls-cert", "x.pem"], "name both or neither"),
        (["serve", "--host", "203.0.113.7"], "choose another --host or --port"),
        (["serve", "--set", "monitor.reference=none.txt"], "No such file"),
        (["serve", "--upstream", "http://127.0.0.1:1/v1"], "reports neither KL nor value"),
        (["serve", "paper", "--engine", "vllm", "--dry-run", "--gpu-memory", "16GB"], "the weights alone take 21.4 GB"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run: Run, arguments: list[str], said: str) -> None:
    found = run(*arguments)
    assert found.returncode == 2, found.stderr
    lines = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in found.stderr


def test_the_ledger_is_printed_and_drawn(tmp_path: Path, run: Run) -> None:
    released(tmp_path)
    table = run("ledger").stdout
    assert [line.split() for line in table.splitlines() if line.strip().startswith(("aaa", "bbb"))] == [
        ["aaa", "owner-aaa", "2", "0", "10", "2.00", "4.00"],
        ["bbb", "owner-bbb", "1", "1", "9", "3.00", "4.00"],
    ]
    data = json.loads(run("ledger", "--by", "owner", "--json", "--owner", "owner-aaa").stdout)
    assert [(row["name"], row["tokens"], row["value"], row["open"]) for row in data] == [("owner-aaa", 10, 4.0, 0)]
    drawn = run("ledger", "--plot", "leakage.png")
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "leakage.png").read_bytes()[:4] == b"\x89PNG"
    failed = run("ledger", "--plot", "leakage.nonsense")
    assert failed.returncode == 2
    assert "nonsense" in failed.stderr


def test_the_ledger_shows_marked_tokens_by_owner_mark_and_epoch(tmp_path: Path, run: Run) -> None:
    mark = EntryMark(mark_text(NamedChoice(name="keyed", options={"width": 4, "salts": 1})), 230)
    released(tmp_path)
    assert "marked" not in run("ledger").stdout
    released(tmp_path, mark)
    lines = [line.split() for line in run("ledger").stdout.splitlines() if "keyed" in line]
    assert [(line[0], line[1:5], line[-1]) for line in lines] == [
        ("owner-aaa", ["keyed", "salts=1", "width=4", "230"], "10"),
        ("owner-bbb", ["keyed", "salts=1", "width=4", "230"], "9"),
    ]


def test_the_json_of_the_ledger_splits_marked_tokens_by_owner_mark_and_epoch(tmp_path: Path, run: Run) -> None:
    """Each row has the split of its own tokens, whatever rows are summed by."""
    keyed = NamedChoice(name="keyed", options={"width": 4, "salts": 1})
    green = NamedChoice(name="watermark", options={"delta": 1.5, "width": 2})
    for mark in (
        None,
        EntryMark(mark_text(keyed), 230),
        EntryMark(mark_text(keyed), 229),
        EntryMark(mark_text(green), 230),
    ):
        released(tmp_path, mark)
    today = day_of(time.time())

    def split(owner: str, tokens: int) -> list[dict[str, object]]:
        days = {"first": today, "last": today}
        return [
            {"owner": owner, "mark": mark.model_dump(), "epoch": epoch, "tokens": tokens, **days}
            for mark, epoch in ((keyed, 229), (keyed, 230), (green, 230))
        ]

    ours, theirs = split("owner-aaa", 10), split("owner-bbb", 9)
    for by, names in (("key", ["aaa", "bbb"]), ("owner", ["owner-aaa", "owner-bbb"])):
        data = {row["name"]: row for row in json.loads(run("ledger", "--json", "--by", by).stdout)}
        assert [data[name]["marks"] for name in names] == [ours, theirs]
        assert [(data[name]["tokens"], data[name]["marked"]) for name in names] == [(40, 30), (36, 27)]
    for by in ("tier", "policy"):
        (row,) = json.loads(run("ledger", "--json", "--by", by).stdout)
        assert (row["marks"], row["marked"]) == (ours + theirs, 57)
    (alone,) = json.loads(run("ledger", "--json", "--by", "tier", "--owner", "owner-bbb").stdout)
    assert alone["marks"] == theirs


def test_keys_and_ledger_need_no_configuration_that_can_be_served(tmp_path: Path, run: Run) -> None:
    (tmp_path / "front.yaml").write_text(
        "policies: {poe: {release: poe}}\ntiers: {a: {policy: poe}}\nledger: sqlite:///b.db\n"
    )
    assert run("keys", "create", "-c", "front.yaml", "--owner", "x", "--tier", "a").returncode == 0
    assert (tmp_path / "b.db").is_file()
    assert run("ledger", "-c", "front.yaml").returncode == 0


def test_a_dry_run_prints_the_memory_and_leaves_nothing(tmp_path: Path, run: Run) -> None:
    found = run("serve", "paper", "--engine", "vllm", "--dry-run", "--gpu-memory", "80GiB")
    assert found.returncode == 0, found.stderr
    # 0.9 of 80 GiB, less 21.42 GB.
    assert "at most 55.9 GB for keys and values" in found.stdout
    assert found.stdout.endswith("nothing was downloaded, loaded, opened or written\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run", "--gpu-memory", "80"], "'80' is no size as in 80GB or 80GiB"),
        (["--gpu-memory", "80GB"], "--gpu-memory is for --dry-run"),
    ],
)
def test_the_memory_of_a_gpu_is_a_size_and_for_dry_runs(run: Run, arguments: list[str], message: str) -> None:
    found = run("serve", *arguments)
    assert found.returncode == 2
    assert message in found.stderr


def test_an_address_in_use_is_said_before_models_are_loaded(run: Run, tmp_path: Path) -> None:
    """Loading would fail, with another message."""
    import socket

    (tmp_path / "serve.yaml").write_text(
        "teacher: ./absent\npolicies: {plain: {release: standard}}\ntiers: {a: {policy: plain}}\n"
    )

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = run("serve", "serve.yaml", "--port", str(taken.getsockname()[1]))
    assert found.returncode == 2
    assert "choose another --host or --port" in found.stderr
    alone = run("serve", "serve.yaml", "--port", "0")
    assert alone.returncode == 2
    assert "'./absent'" in alone.stderr
