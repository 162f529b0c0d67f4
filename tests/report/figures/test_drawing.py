from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from distillgame.report import draw_frontier, draw_queries
from distillgame.report.figures import COLOURS, inline_svg, utility_panel

from ..fixtures import DEFENSES, Defense, game

WEAKER = Defense("poe", {"gamma": 0.3}, 0.91, 0.66, 0.838, 0.6, 1.72, proxies={"proxy": 1.0})
HOSTILE = Defense("$x_1$<script>&--", {"gamma": 0.5}, 0.8, 0.5, 0.7)


@pytest.mark.parametrize("name", ["frontier.png", "frontier.svg"])
def test_figures_are_written_whole(tmp_path: Path, name: str) -> None:
    draw_frontier(game([*DEFENSES, WEAKER]), tmp_path / name)
    draw_queries(game(queries=(250, 500, 1500)), tmp_path / f"queries-{name}")
    assert {path.name for path in tmp_path.iterdir()} == {name, f"queries-{name}"}
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG") if name.endswith("png") else ET.fromstring(data).tag.endswith("svg")


def test_a_figure_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "frontier.bmp?"
    path.write_text("old")
    with pytest.raises(ValueError, match="not supported"):
        draw_frontier(game(), path)
    assert path.read_text() == "old"


def test_a_figure_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw_frontier(game(), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_game_without_time_costs_has_one_panel(tmp_path: Path) -> None:
    unmeasured = [row.model_copy(update={"time_cost": None, "time_cost_range": None}) for row in game().teachers]
    draw_frontier(game().model_copy(update={"teachers": unmeasured}), tmp_path / "f.svg")
    assert "relative to no defense" not in (tmp_path / "f.svg").read_text()
    draw_frontier(game(), tmp_path / "f.svg")
    assert "relative to no defense" in (tmp_path / "f.svg").read_text()


def test_names_are_text_and_no_formulas(tmp_path: Path) -> None:
    draw_frontier(game([*DEFENSES, HOSTILE]), tmp_path / "f.svg")
    texts = [element.text for element in ET.parse(tmp_path / "f.svg").iter() if element.tag.endswith("}text")]
    assert "$x_1$<script>&-- 0.5" in texts


def test_inside_a_page_colours_and_ids_are_the_pages() -> None:
    drawn = inline_svg(utility_panel, game([*DEFENSES, WEAKER]), 'a "title"', "first")
    root = ET.fromstring(drawn)
    assert root.attrib["aria-label"] == 'a "title"'
    assert not {"width", "height"} & set(root.attrib)
    assert "var(--series-3)" in drawn
    assert not [colour for colour in COLOURS if colour in drawn]
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert ids
    assert all(name.startswith("first-") for name in ids)
    used = [value[1:] for e in root.iter() for key, value in e.attrib.items() if key.endswith("href")]
    assert used
    assert set(used) <= set(ids)
    assert not [element for element in root.iter() if element.tag.endswith(("}style", "}metadata", "}script"))]
