"""The whole work by keyboard alone, and what a screen reader is told."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]

MOST_TABS = 60


def focused(page) -> str:
    """Role and name of what has the focus, as a screen reader says them."""
    return page.evaluate(
        "(() => { const it = document.activeElement; return it.getAttribute('aria-label')"
        " ?? it.textContent.trim(); })()"
    )


def tab_to(page, name: str) -> None:
    """Press Tab until an element with a name has the focus."""
    for _ in range(MOST_TABS):
        if focused(page) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name!r} is not reached by {MOST_TABS} tabs; the last: {focused(page)}")


def said(page) -> str:
    return page.locator("#live").inner_text().strip()


def press(page, code: str) -> None:
    page.keyboard.press(page.get_attribute(f'.palette [data-drop="{code}"]', "aria-keyshortcuts"))


def is_at_a_cell(page) -> bool:
    return page.evaluate("document.activeElement.role") == "option"


def test_from_the_worklist_to_an_amendment_by_keys_alone(alone, open_page):
    name = f"S-{alone.take_slide():02d}"
    page = open_page(alone.url)
    page.wait_for_selector(".worklist")
    tab_to(page, "Search slides and patients")
    page.keyboard.type(name)
    tab_to(page, name)
    page.keyboard.press("Enter")
    page.wait_for_selector(".cell:focus")
    page.keyboard.press(".")
    press(page, "BL")
    assert said(page) == "blast."
    page.keyboard.press("Control+z")
    assert said(page) == "Undone: 1 cell."
    page.keyboard.press("Control+Shift+Z")
    assert said(page) == "Redone: 1 cell."
    assert is_at_a_cell(page)
    page.keyboard.press("Shift+D")
    tab_to(page, "Sign …")
    page.keyboard.press("Enter")
    told = page.get_by_role("dialog")
    told.wait_for()
    page.keyboard.press("Escape")
    told.wait_for(state="detached")
    assert focused(page) == "Sign …", "the focus is back"
    page.keyboard.press("Enter")
    told.wait_for()
    tab_to(page, "Sign")
    page.keyboard.press("Enter")
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    told.wait_for(state="detached")
    assert is_at_a_cell(page), "the button is gone: the keys are with the cells"
    assert said(page) == "Signed as version 1."
    press(page, "LY")
    assert "Amend to change it" in said(page)
    page.keyboard.press("Shift+D")
    tab_to(page, "Amend …")
    page.keyboard.press("Enter")
    told.wait_for()
    page.keyboard.type("one more blast")
    tab_to(page, "Amend")
    page.keyboard.press("Enter")
    page.locator(".banner").wait_for(state="detached")
    told.wait_for(state="detached")
    assert is_at_a_cell(page)
    press(page, "BL")
    page.get_by_text("All saved").wait_for()
    tab_to(page, "buffycoat review")  # round by the address bar's place
    page.keyboard.press("Enter")
    page.wait_for_selector(".worklist")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_screen_reader_finds_classes_cells_and_states(open_slide):
    page = open_slide()
    tree = page.locator("main").aria_snapshot()
    assert re.search(r'heading "Slide S-\d\d, First reading" \[level=1\]', tree)
    assert 'toolbar "Class of the selected cells"' in tree
    assert 'button "LY, lymphocyte, key ' in tree
    assert 'listbox "lymphocyte, ' in tree
    assert re.search(r'option "segmented neutrophil, probability 0\.\d\d', tree)
    assert "needs a look: top probability" in tree
    assert 'tablist "Cell or slide"' in tree
    assert 'tab "Cell" [selected]' in tree
    assert page.get_by_role("img", name="Cell, ").count() >= 1
    assert page.locator("[role=option] img:not([alt=''])").count() == 0, "the option says it all"
    page.keyboard.press(".")
    doubtful = page.evaluate("Number(document.activeElement.dataset.n)")
    press(page, "BA")
    moved = page.locator('[role=listbox][aria-label="basophil, 1 cell"]')
    option = moved.locator(f'[role=option][data-n="{doubtful}"]')
    assert re.match(r"basophil, predicted .*, probability", option.get_attribute("aria-label"))
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator('[role=option][aria-selected="true"]').count() == 2


def test_trouble_is_announced_and_saving_is_not(open_slide):
    page = open_slide()
    page.expected = ("Failed to load resource", "ERR_INTERNET_DISCONNECTED", "ERR_FAILED")
    state = page.locator("#saved")
    press(page, "LY")
    page.get_by_text("All saved").wait_for()
    assert state.get_attribute("aria-live") in (None, "off")
    page.context.set_offline(True)
    press(page, "MO")
    page.get_by_text("Offline: 1 decision kept here").wait_for()
    assert state.get_attribute("aria-live") == "polite"
    page.context.set_offline(False)
    page.get_by_text("All saved").wait_for()


def test_the_arrow_keys_go_through_tabs_and_classes(open_slide):
    page = open_slide()
    tab_to(page, "Cell")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Differential").get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    first = page.locator(".palette button").first.get_attribute("aria-label")
    page.locator(".cell").first.focus()
    page.keyboard.press("Shift+Tab")
    for _ in range(MOST_TABS):
        if page.evaluate("document.activeElement.closest('.palette') !== null"):
            break
        page.keyboard.press("Shift+Tab")
    assert focused(page) == first
    page.keyboard.press("ArrowRight")
    assert focused(page) != first
    assert page.locator('.palette [tabindex="0"]').count() == 1
