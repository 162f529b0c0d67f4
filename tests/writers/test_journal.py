from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from distillgame.decoding import Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import Endpoint
from distillgame.writers import EndpointWriter, Journal, Written
from tests.endpoints import Reply, completion, endpoint

REQUESTS = [Request(str(i), [{"role": "user", "content": str(i)}]) for i in range(8)]


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    def fails_at_the_fifth(body: dict[str, Any], before: int) -> Reply:
        return Reply({"error": "gone"}, 500) if before == 4 else completion(body["messages"][0]["content"])

    path = tmp_path / "answers.jsonl"
    with endpoint(fails_at_the_fifth) as listening:
        place = Endpoint(endpoint=listening.url, model="m", concurrency=1, retries=0)
        with pytest.raises(DistillgameError, match="answered 500"):
            EndpointWriter(place, Journal(Written, path)).write(REQUESTS, SamplingParams(), 0)
        written = EndpointWriter(place, Journal(Written, path)).write(REQUESTS, SamplingParams(), 0)
        assert [text.text for text in written] == list("01234567")
        assert [body["messages"][0]["content"] for body in listening.asked] == list("012344567")
        EndpointWriter(place, Journal(Written, path)).write(REQUESTS, SamplingParams(), 1)
        assert len(listening.asked) == 9 + 8  # another seed is another request


@pytest.mark.parametrize("end", [b'{"asked": "x", "te', b'{"asked": "x"}\n', b"\xff\n", b"3\n", b'{"text": "a"}'])
def test_a_line_that_was_cut_short_is_dropped(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    journal, first, second = Journal(Written, path), {"messages": ["a"]}, {"messages": ["b"]}
    journal.add(first, Written("an answer\n", "stop", 2, 1))
    whole = path.read_bytes()
    path.write_bytes(whole + end)
    again = Journal(Written, path)
    assert len(again) == 1
    assert again.find(first) == Written("an answer\n", "stop", 2, 1)
    assert again.find(second) is None
    again.add(second, Written("", "length"))
    assert len(Journal(Written, path)) == 2


def test_answers_are_found_again_by_their_call(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(Written, path).add({"seed": 1, "model": "m"}, Written("é", "stop", 3, 4))
    again = Journal(Written, path)
    assert again.find({"model": "m", "seed": 1}) == Written("é", "stop", 3, 4)
    assert again.find({"model": "m", "seed": 2}) is None


def test_a_line_cut_short_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for seed in range(3):
        Journal(Written, path).add({"seed": seed}, Written("a", "stop"))
    path.write_bytes(path.read_bytes()[:-5])
    Journal(Written, path).add({"seed": 3}, Written("b", "stop"))
    again = Journal(Written, path)
    assert len(again) == 3
    assert again.find({"seed": 2}) is None
    assert again.find({"seed": 3}) == Written("b", "stop")


def test_lines_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    others = '{"asked": "x", "text": "t", "ending": "stop"}\n[1]\n{"asked": "y", "text": 3, "finish_reason": "stop"}\n'
    path.write_text(others)
    journal = Journal(Written, path)
    journal.add({"seed": 0}, Written("a", "stop"))
    assert len(journal) == len(Journal(Written, path)) == 1
    assert path.read_text().startswith(others)


def test_threads_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with ThreadPoolExecutor(8) as threads:
        for made in [
            threads.submit(Journal(Written, path).add, {"seed": i}, Written("a" * 9000, "stop")) for i in range(64)
        ]:
            made.result()
    assert len(Journal(Written, path)) == 64


def test_without_a_file_answers_are_kept_in_memory() -> None:
    journal = Journal(Written, None)
    journal.add({"seed": 0}, Written("a", "stop"))
    assert journal.find({"seed": 0}) == Written("a", "stop")
