"""Who reads, where there are no accounts: the page asks once, and says that the name is stated."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]

STATED = "a stated name, not a login"


@pytest.fixture(scope="module")
def asking(serve):
    """A server that was started without a name."""
    return serve(reader=None)


def state(page, name: str) -> None:
    told = page.get_by_role("dialog", name="Who reads?")
    told.get_by_label("Name").fill(name)
    page.keyboard.press("Enter")
    told.wait_for(state="detached")


def test_the_name_is_asked_for_once_and_stands_everywhere(asking, open_page):
    slide = asking.take_slide()
    page = open_page(f"{asking.url}#/slides/{slide}/first")
    told = page.get_by_role("dialog", name="Who reads?")
    told.wait_for()
    assert STATED.removesuffix(", not a login") in told.inner_text()
    page.keyboard.press("Escape")
    assert told.is_visible(), "nothing goes on without a name"
    state(page, "Anna Bergová")
    page.wait_for_selector(".cell:focus")
    page.keyboard.press("Enter")
    page.get_by_text("All saved").wait_for()
    page.reload()
    page.wait_for_selector(".cell:focus")
    assert told.count() == 0, "asked once"
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert f"You sign as Anna Bergová ({STATED})" in dialog.inner_text()
    dialog.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    page.get_by_role("tab", name="Versions").click()
    page.get_by_text(f"Signed by Anna Bergová ({STATED})").wait_for()
    page.goto(f"{asking.url}#/log")
    page.get_by_text("The log is whole").wait_for()
    page.get_by_label("Who").select_option("Anna Bergová")
    row = page.locator(".entries tbody tr").filter(has_text="Signed version 1")
    row.wait_for()
    assert STATED in row.inner_text()


def test_another_reader_takes_over_under_another_name(asking, open_page):
    slide = asking.take_slide()
    name = f"S-{slide:02d}"
    page = open_page(f"{asking.url}#/slides/{slide}/first")
    state(page, "Anna")
    page.wait_for_selector(".cell:focus")
    page.keyboard.press("Enter")
    page.get_by_text("All saved").wait_for()
    page.get_by_role("button", name="Reader Anna: another reader …").click()
    page.get_by_role("dialog", name="Who reads?").get_by_role("button", name="Cancel").click()
    page.goto(f"{asking.url}#/")
    page.get_by_role("button", name="Reader Anna: another reader …").click()
    state(page, "Ben")
    listed = page.locator("tbody tr").filter(has_text=name)
    listed.get_by_text("First reading: Anna").wait_for()
    page.get_by_role("button", name="Reader Ben: another reader …").wait_for()
    listed.get_by_role("link", name="Read", exact=True).click()
    page.wait_for_selector(".cell:focus")
    page.get_by_role("heading", name="Decisions").wait_for()
    row = page.request.get(f"{asking.url}api/v1/slides/{slide}").json()
    assert [one["reader"] for one in row["readings"]] == ["Ben"]


def test_what_is_no_name_is_asked_for_again(asking, open_page):
    page = open_page(asking.url)
    page.expected = ("422",)
    state_field = page.get_by_role("dialog", name="Who reads?").get_by_label("Name")
    state_field.fill("a\u200bb")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="visible characters").wait_for()
    state(page, "Anna")
    page.locator(".worklist").wait_for()


def test_a_server_started_with_a_name_asks_nobody(alone, open_page):
    page = open_page(alone.url)
    page.locator(".worklist").wait_for()
    page.locator(".who").get_by_text("Rita Reader").wait_for()
    assert page.get_by_role("dialog").count() == 0
