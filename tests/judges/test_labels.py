import csv
import io
from pathlib import Path

import pytest

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, Exhibit, Judgement, blinded, export_labels, read_labels

EXHIBITS = [
    Exhibit("poe/1", "4 dog , 3 spider", "4 dog : 4 x 4 = 16 total 16 . #### 40"),
    Exhibit("poe/2", "=1+1?", "-2 + 4 = 2, so\n\n\"it\" is; '2'.\r\n#### 2"),
    Exhibit("ads/1", "How much is 1 €?", "+1 dollar, naïvely"),
    Exhibit("ads/2", "'quoted'", "@home"),
]
NAMES = {original: name for name, original in blinded(EXHIBITS, seed=0).originals.items()}


def exported(path: Path) -> list[list[str]]:
    export_labels(path, EXHIBITS)
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def write(path: Path, rows: list[list[str]], delimiter: str = ",", encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def filled(path: Path, labels: dict[str, str], comment: str = "") -> list[list[str]]:
    rows = exported(path)
    for row in rows[1:]:
        original = next(key for key, name in NAMES.items() if name == row[0])
        row[3:] = [labels.get(original, ""), comment if original in labels else ""]
    return rows


def scores(path: Path) -> list[float | None]:
    return [judgement.scores.get(AUDITABILITY) for judgement in read_labels(path, EXHIBITS)]


def short(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "short.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_sheet_is_blinded(tmp_path: Path) -> None:
    rows = exported(tmp_path / "sheet.csv")
    assert rows[0] == ["id", "question", "text", "auditability", "comment"]
    assert {row[0] for row in rows[1:]} == set(NAMES.values())
    content = (tmp_path / "sheet.csv").read_text(encoding="utf-8-sig")
    assert "poe" not in content
    assert "ads" not in content
    assert (tmp_path / "sheet.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    rows = exported(tmp_path / "sheet.csv")
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert {cell for row in rows for cell in row[1:3] if cell.startswith("'")} == {
        "'=1+1?",
        "'" + EXHIBITS[1].text,
        "'+1 dollar, naïvely",
        "'quoted'",
        "'@home",
    }


def test_an_existing_sheet_stays(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("labels of a whole day")
    with pytest.raises(DistillgameError, match=r"sheet\.csv exists"):
        export_labels(path, EXHIBITS)
    assert path.read_text() == "labels of a whole day"
    export_labels(path, EXHIBITS, overwrite=True)
    assert scores(path) == [None] * 4
    with pytest.raises(DistillgameError, match="cannot be written"):
        export_labels(tmp_path / "nowhere" / "sheet.csv", EXHIBITS)


def test_labels_come_back_by_exhibit(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    rows = filled(path, {"poe/1": "5", "poe/2": " 1 ", "ads/2": "3.5"}, comment="- clear, mostly")
    write(path, [rows[0], *rows[:0:-1]])
    found = read_labels(path, EXHIBITS)
    assert [judgement.scores for judgement in found] == [{AUDITABILITY: 5}, {AUDITABILITY: 1}, {}, {AUDITABILITY: 3.5}]
    assert [judgement.reasons for judgement in found] == [{AUDITABILITY: "- clear, mostly"}] * 2 + [
        {},
        {AUDITABILITY: "- clear, mostly"},
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_spreadsheet_programs_write_it_in_their_ways(tmp_path: Path, delimiter: str, encoding: str) -> None:
    """Decimal commas, other separators, line ends changed within cells, blank rows and cells at the end."""
    path = tmp_path / "sheet.csv"
    rows = filled(path, {"poe/1": "4,5", "ads/1": "2"})
    rows = [[cell.replace("\r\n", "\n").replace("\n\n", "\n") for cell in row] for row in rows]
    write(path, [*([*row, "", ""] for row in rows), [""] * 7, []], delimiter, encoding)
    assert scores(path) == [4.5, None, 2, None]


def test_rows_and_texts_may_be_missing(tmp_path: Path) -> None:
    path = short(tmp_path, "Auditability,ID", f"4,{NAMES['ads/1']}")
    assert scores(path) == [None, None, 4, None]
    assert read_labels(path, EXHIBITS)[0] == Judgement()


def test_another_seed_is_another_sheet(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    export_labels(path, EXHIBITS, seed=5)
    assert len(read_labels(path, EXHIBITS, seed=5)) == 4
    with pytest.raises(DistillgameError, match="line 2: unknown id"):
        read_labels(path, EXHIBITS)


@pytest.mark.parametrize("score", ["0", "6", "5.5", "-1", "good", "4/5", "nan", "inf", "1e9"])
def test_scores_off_the_scale_are_refused(tmp_path: Path, score: str) -> None:
    path = short(tmp_path, "id,auditability", f"{NAMES['ads/1']},4", f"{NAMES['ads/2']},{score}")
    with pytest.raises(DistillgameError, match=rf"short\.csv: line 3: .*from 1 to 5.*found '{score}'"):
        read_labels(path, EXHIBITS)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["id,auditability", "nobody,4"], "line 2: unknown id 'nobody'"),
        (["id,auditability", ",4"], "line 2: unknown id ''"),
        (["id,auditability", f"{NAMES['ads/1']},4", "", f"{NAMES['ads/1']},4"], "line 4: .*came before, in line 2"),
        (["id,score", f"{NAMES['ads/1']},4"], "line 1: no column 'auditability'; found: id, score"),
        (["name;auditability", f"{NAMES['ads/1']};4"], "line 1: no column 'id'; found: name, auditability"),
        (["id,auditability,auditability", f"{NAMES['ads/1']},4,4"], "line 1: more than one column 'auditability'"),
        (["id,auditability", f"{NAMES['ads/1']},4,5"], "line 2: more cells than columns"),
        (["id,auditability", f'{NAMES["ads/1"]},"4'], "line 2: not CSV"),
        (["id,text,auditability", f"{NAMES['ads/1']},+1 euro,4"], "line 2: 'text' is not what was exported"),
        (["id,auditability"], "the sheet has no rows"),
        ([""], "the sheet is empty"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = short(tmp_path, *lines)
    with pytest.raises(DistillgameError, match=rf"short\.csv: {message}"):
        read_labels(path, EXHIBITS)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    """A row that spans several lines is named by its first."""
    path = short(tmp_path, "id,comment,auditability", f'{NAMES["ads/1"]},"a\nb\nc",4', f'{NAMES["ads/2"]},"d\ne",9')
    with pytest.raises(DistillgameError, match="line 5: 'auditability'"):
        read_labels(path, EXHIBITS)


def test_a_wrong_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(f"id,comment,auditability\n{NAMES['ads/1']},na\u00efve,4\n".encode("latin-1"))
    with pytest.raises(DistillgameError, match=r"sheet\.csv: line 2 is not UTF-8"):
        read_labels(path, EXHIBITS)
    path.write_text("id,auditability\n", encoding="utf-16")
    with pytest.raises(DistillgameError, match="line 1 is not UTF-8"):
        read_labels(path, EXHIBITS)
    with pytest.raises(DistillgameError, match="cannot be read"):
        read_labels(tmp_path / "missing.csv", EXHIBITS)


def test_a_long_trace_can_be_read_again(tmp_path: Path) -> None:
    exhibits = [Exhibit("long", "q", "word " * 40000)]
    export_labels(tmp_path / "sheet.csv", exhibits)
    assert read_labels(tmp_path / "sheet.csv", exhibits) == [Judgement()]
