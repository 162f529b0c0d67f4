"""Every page has its place, and every link its target."""

import re
import runpy
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, HISTORY, PAGES, ROOT


@pytest.mark.parametrize("path", sorted(PAGES), ids=lambda path: path.name)
def test_every_page_has_a_title_and_working_links(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_page_is_in_the_sites_navigation() -> None:
    listed = re.findall(r": (\S+\.md)$", (DOCS / "site" / "site.yml").read_text(), re.MULTILINE)
    assert {path.relative_to(ROOT).as_posix() for path in PAGES} <= set(listed)


def test_the_picture_shows_every_room() -> None:
    shown = re.findall(r">([a-z_]+)</text>", (DOCS / "architecture.svg").read_text())
    rooms = {path.parent.name for path in (ROOT / "src" / "distillgame").glob("*/__init__.py")}
    assert rooms <= set(shown)


@pytest.mark.parametrize("path", sorted(set(PAGES) - HISTORY), ids=lambda path: path.name)
def test_source_files_that_a_page_names_exist(path: Path) -> None:
    for name in re.findall(r"`([\w/]+/\w+\.py)`", path.read_text()):
        assert (ROOT / name).exists() or (ROOT / "src" / "distillgame" / name).exists(), name


def test_the_reference_has_a_page_per_room_and_shows_what_a_module_of_the_same_name_hides(tmp_path: Path) -> None:
    package = ROOT / "src" / "distillgame"
    runpy.run_path(str(DOCS / "site" / "reference.py"))["write_reference"](package, tmp_path)
    rooms = {path.parent.name for path in package.glob("*/__init__.py")} - {"cli"}
    assert {f"distillgame.{room}.md" for room in rooms} <= {path.name for path in tmp_path.iterdir()}
    assert "::: distillgame.arena.play.play" in (tmp_path / "distillgame.md").read_text()


def test_the_site_is_checked_for_dead_links_anchors_and_foreign_requests(tmp_path: Path) -> None:
    problems = runpy.run_path(str(DOCS / "site" / "links.py"))["problems"]
    (tmp_path / "a.html").write_text('<h1 id="top"></h1><a href="b.html#here"></a><a href="#top"></a>')
    (tmp_path / "b.html").write_text('<p id="here"></p><a href="https://elsewhere.org"></a>')
    assert problems(tmp_path) == []
    (tmp_path / "b.html").write_text('<a href="c.html"></a><script src="https://elsewhere.org/x.js"></script>')
    assert problems(tmp_path) == [
        "a.html links to b.html#here, which has no such anchor",
        "b.html links to c.html, which does not exist",
        "b.html loads https://elsewhere.org/x.js",
    ]
