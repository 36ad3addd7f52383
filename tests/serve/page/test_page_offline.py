"""Nothing typed is lost: a server that goes away, a tab that reloads, a session that ends."""

from __future__ import annotations

import re
from importlib import resources

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]

LOST = ("Failed to load resource", "ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION", "ERR_FAILED")


def decide(page, code: str) -> int:
    """Give the cell with the focus a class."""
    n = int(page.evaluate("document.activeElement.dataset.n"))
    page.keyboard.press(page.get_attribute(f'.palette [data-drop="{code}"]', "aria-keyshortcuts"))
    return n


def stored(page, n: int) -> str | None:
    slide = page.url.split("/slides/")[1].split("/")[0]
    reply = page.request.get(f"{page.url.split('#')[0]}api/v1/slides/{slide}/cells?role=first")
    return next(cell["label"] for cell in reply.json()["cells"] if cell["n"] == n)


def test_decisions_wait_while_the_browser_is_offline(open_slide):
    page = open_slide()
    page.expected = LOST
    page.context.set_offline(True)
    first, second = decide(page, "LY"), decide(page, "MO")
    page.locator(f'[role=option][data-n="{first}"]').click()
    decide(page, "EO")
    page.get_by_text("Offline: 3 decisions kept here").wait_for()
    page.context.set_offline(False)
    page.get_by_text("All saved").wait_for()
    assert (stored(page, first), stored(page, second)) == ("EO", "MO")


def test_decisions_outlive_a_reload(open_slide):
    page = open_slide()
    page.expected = LOST
    page.route("**/api/v1/decisions", lambda route: route.abort())
    n = decide(page, "BL")
    page.get_by_text("Offline").wait_for()
    page.reload()
    page.locator(f'[data-code="BL"] [data-n="{n}"].pending').wait_for()
    page.unroute("**/api/v1/decisions")
    page.get_by_text("All saved").wait_for()
    assert stored(page, n) == "BL"


def test_an_answer_that_was_lost_stores_the_decision_once(open_slide):
    page = open_slide()
    page.expected = LOST

    def lose(route):
        route.fetch()  # the server stores it
        route.abort()

    page.route("**/api/v1/decisions", lose, times=1)
    n = decide(page, "BL")
    page.get_by_text("Offline").wait_for()
    page.get_by_text("All saved").wait_for()
    history = page.request.get(f"{page.url.split('#')[0]}api/v1/cells/{n}?role=first").json()
    assert [one["label"] for one in history["history"]] == ["BL"]


def test_a_server_that_is_killed_and_comes_back(serve, open_page):
    server = serve()
    page = open_page(f"{server.url}#/slides/1/first")
    page.wait_for_selector(".cell")
    page.expected = LOST
    server.kill()
    n = decide(page, "LY")
    page.get_by_text("Offline").wait_for()
    server.start()
    page.get_by_text("All saved").wait_for(timeout=20_000)
    assert stored(page, n) == "LY"


def test_two_windows_on_one_cell_ask_which_decision_holds(open_slide, open_page):
    page = open_slide()
    other = open_page.watch(page.context.new_page(), page.url)
    other.wait_for_selector(".cell")
    n = decide(page, "LY")
    page.get_by_text("All saved").wait_for()
    assert decide(other, "MO") == n
    told = other.locator(".conflict-row")
    told.wait_for()
    assert "You chose monocyte" in told.inner_text()
    assert "chose lymphocyte" in told.inner_text()
    assert other.get_attribute(f'.cells:has([data-n="{n}"])', "data-code") == "LY"
    other.reload()  # the choice waits too
    told.wait_for()
    other.get_by_role("button", name="Keep mine: monocyte").click()
    other.get_by_text("All saved").wait_for()
    assert told.count() == 0
    assert stored(other, n) == "MO"


def test_the_other_choice_takes_what_the_server_has(open_slide, open_page):
    page = open_slide()
    other = open_page.watch(page.context.new_page(), page.url)
    other.wait_for_selector(".cell")
    n = decide(page, "LY")
    page.get_by_text("All saved").wait_for()
    decide(other, "MO")
    other.get_by_role("button", name="Take: lymphocyte").click()
    other.get_by_text("All saved").wait_for()
    assert stored(other, n) == "LY"


def test_a_refused_decision_is_kept_with_both_choices(open_slide):
    page = open_slide()
    page.expected = LOST
    slide = page.url.split("/slides/")[1].split("/")[0]
    base = page.url.split("#")[0]
    token = page.request.get(f"{base}api/v1/session").json()["csrf"]
    headers = {"X-CSRF-Token": token, "Origin": base.rstrip("/")}
    page.request.post(f"{base}api/v1/slides/{slide}/readings/first/finish", headers=headers)
    n = decide(page, "BL")
    told = page.locator(".conflict-row")
    told.wait_for()
    assert "The server did not take it" in told.inner_text()
    page.get_by_role("button", name="Take:").click()
    assert stored(page, n) != "BL"


def test_a_session_that_ends_asks_for_the_login_in_place(together, open_page, log_in):
    page = open_page(f"{together.url}#/slides/{together.take_slide()}/first")
    log_in(page, "anna")
    page.wait_for_selector(".cell")
    page.expected = ("401",)
    page.context.clear_cookies()
    n = decide(page, "LY")
    page.get_by_text("Your session has ended").wait_for()
    log_in(page, "anna", "not her password")
    page.get_by_role("alert").filter(has_text="assword").wait_for()
    log_in(page, "anna")
    page.get_by_text("All saved").wait_for()
    assert page.locator("dialog").count() == 0
    assert stored(page, n) == "LY"
    assert page.evaluate("document.activeElement.role") == "option", "the focus is back"


def test_decisions_of_another_user_are_kept_for_them(together, open_page, log_in):
    page = open_page(f"{together.url}#/slides/{together.take_slide()}/first")
    log_in(page, "anna")
    page.wait_for_selector(".cell")
    page.expected = ("401", *LOST)
    page.route("**/api/v1/decisions", lambda route: route.abort())
    n = decide(page, "BL")
    page.get_by_text("Offline").wait_for()
    page.context.clear_cookies()
    page.unroute("**/api/v1/decisions")
    page.goto(together.url)
    page.reload()
    log_in(page, "ben")
    page.get_by_text("1 decision of anna not sent yet").wait_for()
    page.get_by_role("button", name="Log out").click()
    log_in(page, "anna")
    page.get_by_role("link", name="Continue").first.wait_for()
    page.get_by_text("All saved").wait_for()
    history = page.request.get(f"{together.url}api/v1/cells/{n}").json()["history"]
    assert [(one["reader"], one["label"]) for one in history] == [("anna", "BL")]


def test_a_reload_while_the_server_is_away_opens_the_page_and_goes_on(serve, open_page):
    server = serve()
    page = open_page(f"{server.url}#/slides/1/first", service_workers="allow")
    page.wait_for_selector(".cell")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.expected = LOST
    server.kill()
    n = decide(page, "LY")
    page.get_by_text("Offline").wait_for()
    page.reload()
    told = "The server does not answer. Trying again … 1 decision kept in this browser"
    page.get_by_text(told).wait_for()
    server.start()
    page.wait_for_selector(".cell", timeout=20_000)
    page.get_by_text("All saved").wait_for()
    assert stored(page, n) == "LY"
    kept = page.evaluate(
        "caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name)"
        ".then((cache) => cache.keys())))).then((all) => all.flat().map(({url}) => url))"
    )
    paths = {url.removeprefix(server.url) for url in kept}
    assert {"", "app.js", "style.css"} <= paths
    assert not any("/" in path for path in paths), "no picture, no answer of the API"


def test_the_worker_keeps_each_file_of_the_page():
    folder = resources.files("buffycoat.serve").joinpath("page")
    files = {one.name for one in folder.iterdir()} - {"index.html", "worker.js"}
    listed = re.search(r"const FILES = \[(.*?)\];", folder.joinpath("worker.js").read_text(), re.S)
    assert listed is not None
    assert {*re.findall(r'"([^"]+)"', listed[1])} == files | {"./"}


def test_undo_and_redo_outlive_a_reload(open_slide):
    page = open_slide()
    n = int(page.evaluate("document.activeElement.dataset.n"))
    before = page.get_attribute(f'.cells:has([data-n="{n}"])', "data-code")
    page.keyboard.press("Shift+ArrowRight")
    page.locator('.palette [data-drop="BL"]').click()
    page.locator(f'[role=option][data-n="{n}"]').click()
    decide(page, "EO")
    page.get_by_text("All saved").wait_for()
    page.reload()
    page.wait_for_selector(".cell:focus")
    place = f'.cells:has([data-n="{n}"])'
    for code in ("BL", before):
        page.keyboard.press("Control+z")
        assert page.get_attribute(place, "data-code") == code
    page.get_by_text("All saved").wait_for()
    assert page.locator('[data-code="BL"] .cell').count() == 0, "both cells of the step"
    page.reload()
    page.wait_for_selector(".cell:focus")
    for code in ("BL", "EO"):
        page.keyboard.press("Control+Shift+Z")
        assert page.get_attribute(place, "data-code") == code
    page.get_by_text("All saved").wait_for()
    assert stored(page, n) == "EO"
    history = page.request.get(f"{page.url.split('#')[0]}api/v1/cells/{n}?role=first").json()
    assert [one["label"] for one in history["history"]] == ["BL", "EO", "BL", None, "BL", "EO"]


def test_what_waits_offline_is_undone_after_a_reload(open_slide):
    page = open_slide()
    page.expected = LOST
    page.route("**/api/v1/decisions", lambda route: route.abort())
    n = decide(page, "BL")
    page.get_by_text("Offline").wait_for()
    page.reload()
    page.locator(f'[data-code="BL"] [data-n="{n}"].pending').wait_for()
    page.keyboard.press("Control+z")
    page.locator(f'[data-code="BL"] [data-n="{n}"]').wait_for(state="detached")
    page.unroute("**/api/v1/decisions")
    page.get_by_text("All saved").wait_for()
    assert stored(page, n) is None


def test_a_database_that_is_away_for_a_moment_is_asked_again(alone, open_page, wait_until):
    page = open_page(alone.url)
    page.locator(".worklist").wait_for()
    page.expected = ("503",)
    busy = {
        "status": 503, "headers": {"Retry-After": "1"}, "content_type": "application/json",
        "body": '{"error": {"code": "unavailable", "message": "the database does not answer"}}',
    }  # fmt: skip
    asked = {"cells": 0, "image": 0}

    def once(kind):
        def answer(route):
            asked[kind] += 1
            if asked[kind] == 1:
                route.fulfill(**busy)
            else:
                route.continue_()

        return answer

    page.route("**/slides/*/cells?role=first", once("cells"))
    page.route("**/cells/*/image*", once("image"))
    page.goto(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.wait_for_selector(".cell:focus")
    assert asked["cells"] == 2
    wait_until(page, "[...document.querySelectorAll('.cell img')].slice(0, 9)"
               ".every((image) => image.complete && image.naturalWidth)")  # fmt: skip
    assert page.locator(".lost").count() == 0
