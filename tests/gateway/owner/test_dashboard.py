"""The owner's page and metrics, over HTTP and in a real browser."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from distillgame.gateway.ledger import flagged_owners, open_database

from ...browsing import chromium, needs_chromium
from ..servers import CONFIG, Running, server


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A server of its own, so that the page's numbers are known, with an admin key."""
    reference = tmp_path_factory.mktemp("reference") / "benign.txt"
    words = ["please translate this letter", "what is the weather in town", "write a poem about spring rain"]
    reference.write_text("\n".join(f"{words[i % 3]} number {i}" for i in range(200)))
    config = CONFIG | {
        "monitor": {"reference": str(reference), "window": 16, "false_alarm": 0.01},
        "tiers": CONFIG["tiers"]
        | {"watched": {"policy": "poe", "flagged": "strong"}, "<img src=x onerror=alert(1)>": {"policy": "poe"}},
    }
    with server(tmp_path_factory.mktemp("dashboard"), config) as running:
        keys = {owner: running.key(tier, owner) for owner, tier in {"ann": "standard", "bob": "hard"}.items()}
        for key in (keys["ann"], keys["ann"], keys["bob"]):
            assert running.ask(key).status_code == 200
        assert running.ask(running.key("marked", "carol")).status_code == 200
        assert running.ask(keys["ann"], logit_bias={"1": 1}).status_code == 400
        running.ask("dg-nobody")
        watched = running.key("watched", "eve")
        for i in range(16):
            running.ask(watched, f"{1 + i % 9} dog , {1 + i % 7} ant")
        # The server heeds a flag before its database shows it.
        while not flagged(running):
            time.sleep(0.02)
        running.ask(watched)
        assert running.ask(running.key("<img src=x onerror=alert(1)>", "mallory")).status_code == 200
        running.settled()
        yield running, running.key(None, "boss")


def flagged(running: Running) -> frozenset[str]:
    engine = open_database(running.url)
    with engine.begin() as connection:
        found = flagged_owners(connection)
    engine.dispose()
    return found


def page(running: Running, admin: str) -> str:
    response = httpx2.get(f"{running.base}/dashboard", auth=("owner", admin))
    assert response.status_code == 200
    return response.text


def test_only_an_admin_key_opens_dashboard_and_metrics(shown: tuple[Running, str]) -> None:
    running, admin = shown
    client = running.key("standard", "ann")
    for path in ("/dashboard", "/metrics"):
        assert httpx2.get(running.base + path).status_code == 401
        assert "Basic" in httpx2.get(running.base + path).headers["www-authenticate"]
        assert httpx2.get(running.base + path, headers={"Authorization": f"Bearer {client}"}).status_code == 403
        assert httpx2.get(running.base + path, headers={"Authorization": f"Bearer {admin}"}).status_code == 200
    assert running.ask(admin).status_code == 403


def test_metrics_are_what_the_ledger_says(shown: tuple[Running, str]) -> None:
    running, admin = shown
    text = httpx2.get(f"{running.base}/metrics", headers={"Authorization": f"Bearer {admin}"}).text
    values = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[:1] != "#"}
    rows = running.rows(policy="poe")
    assert values['distillgame_tokens_total{policy="poe"}'] == sum(row.tokens for row in rows)
    assert values['distillgame_value_nats_total{policy="poe"}'] == pytest.approx(sum(row.value for row in rows))
    assert values['distillgame_requests_total{endpoint="chat",outcome="finished"}'] == len(running.rows())
    assert values['distillgame_refusals_total{code="invalid_api_key"}'] >= 1
    assert values["distillgame_flagged_total"] == 1


def test_a_flagged_owner_is_escalated_and_listed(shown: tuple[Running, str]) -> None:
    running, _ = shown
    policies = [row.policy for row in running.rows(owner="eve")]
    # The window of sixteen is judged beside what is served, and the flag is heeded once it is there.
    assert policies[:16] == ["poe"] * 16
    assert policies[-1] == "strong"
    assert any(line["event"] == "flagged" and line["owner"] == "eve" for line in running.log())


@needs_chromium
def test_the_page_in_a_browser(shown: tuple[Running, str], tmp_path: Path) -> None:
    running, admin = shown
    with chromium(tmp_path) as browser:
        browser.get(f"http://owner:{admin}@127.0.0.1:{running.port}/dashboard")
        assert "what was released" in browser.title
        assert browser.find_elements(By.TAG_NAME, "script") == []
        owners = {row.find_element(By.TAG_NAME, "th").text: row for row in rows(browser, "owners")}
        assert "flagged" in next(name for name in owners if name.startswith("eve"))
        bob = [cell.text for cell in owners["bob"].find_elements(By.TAG_NAME, "td")]
        (entry,) = running.rows(owner="bob")
        assert bob[0] == "hard"
        assert bob[3] == f"{entry.tokens}"
        assert bob[1].startswith(f"{entry.value:,.1f} of 150.0")
        keys = [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows(browser, "keys")]
        ann = next(cells for cells in keys if cells[0] == "ann" and cells[4] != "0")
        assert ann[4] == "2"
        assert "invalid_request 1" in ann[6]
        assert "invalid_api_key" in browser.find_element(By.ID, "anonymous").text
        ((carol, *mark),) = [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
                             for row in rows(browser, "marks")]  # fmt: skip
        (entry,) = running.rows(owner="carol")
        assert (carol, mark[0], mark[2]) == ("carol", "keyed salts=1 width=4", f"{entry.tokens}")
        assert len(browser.find_elements(By.CSS_SELECTOR, "svg rect")) == 24
        # The style is allowed by the page's own policy, nothing else was loaded, and nothing was refused.
        assert browser.execute_script("return getComputedStyle(document.querySelector('.flag')).borderRadius") == "3px"
        assert [line for line in browser.get_log("browser") if "favicon" not in line["message"]] == []  # type: ignore[no-untyped-call]
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= browser.execute_script("return window.innerWidth")


def rows(browser: webdriver.Chrome, table: str) -> list:  # type: ignore[type-arg]
    return browser.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr")


def test_hostile_names_are_text(shown: tuple[Running, str]) -> None:
    running, admin = shown
    # Owners' names are plain; tiers come from the owner's file and are escaped all the same.
    assert "<img" not in page(running, admin)
    assert "&lt;img src=x" in page(running, admin)
    policy = httpx2.get(f"{running.base}/dashboard", auth=("owner", admin)).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
