import gzip
from pathlib import Path

import pytest

from distillgame.errors import DistillgameError
from distillgame.tables import read_lines

SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_line_ends_at_a_line_feed_only(tmp_path: Path, end: str, packed: bool) -> None:
    path = tmp_path / "prompts.txt"
    content = ("\ufeff" + end.join(["one", "", f"two{SEPARATORS}still two", " ", "three"])).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    assert [line.text for line in read_lines(path)] == ["one", f"two{SEPARATORS}still two", "three"]
    assert [line.place for line in read_lines(path)] == [f"{path}: line {n}" for n in (1, 3, 5)]


def test_a_line_in_another_encoding_is_refused_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_bytes("one\n\ncafé\n".encode("latin-1"))
    with pytest.raises(DistillgameError, match=r"prompts\.txt: line 3 is not UTF-8: save the file as UTF-8"):
        list(read_lines(tmp_path / "prompts.txt"))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_bytes(b"")
    assert list(read_lines(tmp_path / "prompts.txt")) == []
