"""The page in a real browser: it opens from a file, does what it says, and runs nothing but its own script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from distillgame.report import render_page
from tests.browsing import chromium, needs_chromium

from ..fixtures import game, judged, opinions, problems
from .test_page import ATTACKS, HOSTILE, hostile

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "game.html").write_text(render_page(game(queries=(250, 1500)), problems()), encoding="utf-8")
    (folder / "hostile.html").write_text(render_page(*hostile()), encoding="utf-8")
    (folder / "judged.html").write_text(render_page(judged(game()), opinions(problems())), encoding="utf-8")
    (folder / "empty.html").write_text(render_page(game(), []), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def page(browser: webdriver.Chrome, pages: Path) -> webdriver.Chrome:
    browser.get((pages / "game.html").as_uri())
    return browser


def script(browser: webdriver.Chrome, code: str) -> Any:
    return browser.execute_script(code)


def first_column(browser: webdriver.Chrome) -> list[str]:
    found = script(browser, "return [...document.querySelectorAll('#defenses tbody th .name')].map(x => x.textContent)")
    return [str(name) for name in found]


def heading(browser: webdriver.Chrome, title: str) -> Any:
    return browser.find_element(By.XPATH, f"//table[@id='defenses']//th[button='{title}']")


@pytest.mark.parametrize("name", ["game", "hostile", "judged", "empty"])
def test_a_page_opens_without_errors_alerts_or_requests(browser: webdriver.Chrome, pages: Path, name: str) -> None:
    browser.get((pages / f"{name}.html").as_uri())
    # An open alert would make any command fail.
    assert script(browser, "return document.querySelectorAll('script').length") == 2
    assert script(browser, "return performance.getEntriesByType('resource').length") == 0
    assert script(browser, "return document.images.length") == 0
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_a_heading_sorts_by_mouse_and_by_keyboard(page: webdriver.Chrome) -> None:
    order = first_column(page)
    teacher = heading(page, "teacher")
    teacher.find_element(By.TAG_NAME, "button").click()
    assert teacher.get_attribute("aria-sort") == "descending"
    assert first_column(page) == ["standard", "permutation 0.7", "temperature 1.15", "poe 0.5", "ads 0.2"]
    teacher.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert teacher.get_attribute("aria-sort") == "ascending"
    assert first_column(page) == ["ads 0.2", "poe 0.5", "temperature 1.15", "permutation 0.7", "standard"]
    heading(page, "defense").find_element(By.TAG_NAME, "button").click()
    assert teacher.get_attribute("aria-sort") == "none"
    assert first_column(page) == sorted(order)


def test_the_viewer_changes_problems(page: webdriver.Chrome) -> None:
    shown = page.find_element(By.ID, "question")
    assert shown.text == "4 cockroach , 3 dog"
    assert not page.find_element(By.ID, "previous").is_enabled()
    page.find_element(By.ID, "next").click()
    assert shown.text == "2 spider , 9 duck , 5 ant"
    page.find_element(By.ID, "next").send_keys(Keys.ARROW_RIGHT)
    assert shown.text == "7 crab , 1 dog"
    assert "✗ wrong" in page.find_element(By.ID, "traces").text
    Select(page.find_element(By.ID, "problem")).select_by_index(3)
    assert not page.find_element(By.ID, "next").is_enabled()
    page.find_element(By.ID, "previous").send_keys(Keys.ARROW_LEFT)
    assert shown.text == "7 crab , 1 dog"


def test_the_viewer_changes_defenses_and_tells_a_tokens_number(page: webdriver.Chrome) -> None:
    def names() -> list[str]:
        return [x.text.splitlines()[0] for x in page.find_elements(By.CSS_SELECTOR, "#traces .trace")]

    assert names() == ["standard", "poe 0.5", "ads 0.2"]
    boxes = page.find_elements(By.CSS_SELECTOR, "#shown input")
    boxes[0].click()
    boxes[4].click()
    assert names() == ["poe 0.5", "ads 0.2", "permutation 0.7"]
    piece = page.find_elements(By.CSS_SELECTOR, "#traces .trace:first-child .piece")[2]
    piece.click()
    assert piece.get_attribute("textContent") == " total"
    assert page.find_element(By.ID, "reading").text.startswith("“total” under poe 0.5: KL 0.")


def test_hostile_traces_are_text(browser: webdriver.Chrome, pages: Path) -> None:
    browser.get((pages / "hostile.html").as_uri())
    assert browser.find_element(By.ID, "question").get_attribute("textContent") == HOSTILE
    code = "return [...document.querySelectorAll('.trace:first-child .piece')].map(x => x.textContent)"
    assert script(browser, code) == ATTACKS
    assert script(browser, "return document.querySelectorAll('.trace img, .trace script').length") == 0


@pytest.mark.parametrize("name", ["game", "hostile"])
def test_a_phone_scrolls_down_only(browser: webdriver.Chrome, pages: Path, name: str) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get((pages / f"{name}.html").as_uri())
        script(browser, "document.querySelectorAll('details').forEach(x => x.open = true)")
        assert script(browser, "return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_dark_is_dark_all_over(page: webdriver.Chrome) -> None:
    def colours() -> list[Any]:
        code = "const of = x => getComputedStyle(document.querySelector(x));"
        return list(
            script(page, f"{code} return [of('body').backgroundColor, of('body').color, of('figure text').fill]")
        )

    light = colours()
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = colours()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] == "rgb(21, 24, 29)"
    assert all(a != b for a, b in zip(light, dark, strict=True))


def test_a_judged_trace_shows_scores_reasons_and_statements(browser: webdriver.Chrome, pages: Path) -> None:
    browser.get((pages / "judged.html").as_uri())
    opened = browser.find_element(By.CSS_SELECTOR, ".trace .judgement summary")
    assert opened.text == "checked: auditability 3.50"
    opened.click()
    assert browser.find_element(By.CSS_SELECTOR, ".trace .judgement dl").text.split("\n") == [
        "auditability", "3.5", "true", "0.5: because"
    ]  # fmt: skip
    found = [browser.find_elements(By.CSS_SELECTOR, f".trace:first-child .piece.{name}") for name in ("holds", "fails")]
    holds, fails = found
    assert holds
    assert fails
    assert "a statement that does not hold" in str(fails[0].get_attribute("title"))


def test_legibility_becomes_a_third_axis_on_demand(browser: webdriver.Chrome, pages: Path) -> None:
    browser.get((pages / "judged.html").as_uri())
    plain, rings = browser.find_elements(By.CSS_SELECTOR, ".axes > .figures")
    assert (plain.is_displayed(), rings.is_displayed()) == (True, False)
    browser.find_element(By.ID, "third-axis").click()
    assert (plain.is_displayed(), rings.is_displayed()) == (False, True)
