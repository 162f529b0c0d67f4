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
            EndpointWriter(place, Journal(path)).write(REQUESTS, SamplingParams(), 0)
        written = EndpointWriter(place, Journal(path)).write(REQUESTS, SamplingParams(), 0)
        assert [text.text for text in written] == list("01234567")
        assert [body["messages"][0]["content"] for body in listening.asked] == list("012344567")
        EndpointWriter(place, Journal(path)).write(REQUESTS, SamplingParams(), 1)
        assert len(listening.asked) == 9 + 8  # another seed is another request


@pytest.mark.parametrize("end", [b'{"asked": "x", "te', b'{"asked": "x"}\n', b"\xff\n", b"3\n", b'{"text": "a"}'])
def test_a_line_that_was_cut_short_is_dropped(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    journal, first, second = Journal(path), {"messages": ["a"]}, {"messages": ["b"]}
    journal.add(first, Written("an answer\n", "stop", 2, 1))
    whole = path.read_bytes()
    path.write_bytes(whole + end)
    again = Journal(path)
    assert len(again) == 1
    assert again.find(first) == Written("an answer\n", "stop", 2, 1)
    assert again.find(second) is None
    again.add(second, Written("", "length"))
    assert len(Journal(path)) == 2
