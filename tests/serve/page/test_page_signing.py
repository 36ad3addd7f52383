"""Differential, signature, amendment, versions and downloads on the page."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]


def correct(page, code: str) -> None:
    """Give the cell with the focus a class by its key."""
    page.keyboard.press(page.get_attribute(f'.palette [data-drop="{code}"]', "aria-keyshortcuts"))


def test_sign_amend_and_sign_again(open_slide):
    page = open_slide()
    page.keyboard.press(".")
    correct(page, "BL")
    page.get_by_role("tab", name="Differential").click()
    page.get_by_label("WBC of the analyser").fill("7,5")
    page.locator(".counts").get_by_text("10⁹/L").wait_for()
    page.get_by_role("button", name="Sign …").click()
    told = page.get_by_role("dialog")
    told.wait_for()
    for words in ("32 cells", "version 1", "1 of the cells given another class", "3 doubtful cells",
                  "WBC 7.5", "checksum 5eed5eed5eed"):  # fmt: skip
        assert words in told.inner_text()
    told.get_by_label("Comment").fill("one blast")
    page.keyboard.press("Escape")
    page.reload()  # what was typed is still there
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    assert told.get_by_label("Comment").input_value() == "one blast"
    told.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    correct(page, "LY")
    assert "Signed as version 1" in page.locator("#live").inner_text()

    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Amend …").click()
    told.get_by_label("Reason").fill("a second blast")
    told.get_by_role("button", name="Amend").click()
    page.locator(".banner").wait_for(state="detached")
    page.locator(".cell").first.click()
    correct(page, "BL")  # keys work at once: the amendment opened the reading
    page.get_by_role("tab", name="Differential").click()
    page.evaluate("localStorage.clear()")  # the count is with the slide, not in this browser
    page.reload()
    page.get_by_role("tab", name="Differential").click()
    assert page.get_by_label("WBC of the analyser").input_value() == "7.5"
    page.get_by_role("button", name="Sign …").click()
    told.wait_for()
    assert "WBC 7.5" in told.inner_text()
    told.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 2. Amend to change it.").wait_for()

    page.get_by_role("tab", name="Versions").click()
    page.get_by_role("heading", name="Version 2").wait_for()
    told = page.get_by_role("tabpanel", name="Versions").inner_text()
    assert "one blast" in told
    assert "a second blast" in told


def test_a_signature_that_fails_can_be_tried_again(open_slide):
    page = open_slide()
    page.expected = ("Failed to load resource",)
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    page.route("**/sign", lambda route: route.abort(), times=1)
    told = page.get_by_role("dialog")
    told.get_by_role("button", name="Sign").click()
    told.get_by_role("alert").filter(has_text="does not answer").wait_for()
    told.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()


def test_what_changed_behind_the_dialog_is_not_signed(open_slide):
    page = open_slide()
    page.expected = ("409",)
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    told = page.get_by_role("dialog")
    told.get_by_text("No WBC: no absolute counts").wait_for()
    status = page.evaluate("""async () => {
      const slide = /slides\\/(\\d+)/.exec(location.hash)[1];
      const { csrf } = await (await fetch("api/v1/session")).json();
      const reply = await fetch(`api/v1/slides/${slide}/wbc`, {
        method: "POST", body: JSON.stringify({ client_id: crypto.randomUUID(), wbc: 9.5 }),
        headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      });
      return reply.status;
    }""")
    assert status == 200
    told.get_by_role("button", name="Sign").click()
    page.get_by_role("alert").filter(has_text="nothing was signed").wait_for()
    told.wait_for(state="detached")
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    told.get_by_text("WBC 9.5").wait_for()
    told.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()


def test_a_finished_reading_is_signed_as_it_stands(open_slide):
    page = open_slide()
    page.keyboard.press(".")
    correct(page, "BL")
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Finish reading").click()
    told = page.get_by_role("dialog")
    assert "1 given another class than predicted" in told.inner_text()
    told.get_by_role("button", name="Finish").click()
    page.get_by_text("This reading is finished. Reopen it to change it.").wait_for()
    page.get_by_role("button", name="Reopen it").click()
    page.locator(".banner").wait_for(state="detached")
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Finish reading").click()
    told.get_by_role("button", name="Finish").click()
    page.get_by_text("This reading is finished. Reopen it to change it.").wait_for()
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    told.wait_for()
    assert "1 of the cells given another class than predicted" in told.inner_text()
    assert "blasts 3.1 %, flagged from 1 % on" in told.inner_text()
    told.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    before = page.url
    page.get_by_role("button", name="Next slide").click()
    page.locator(".banner").wait_for(state="detached")
    assert page.url != before


def test_a_wrong_white_cell_count_is_said(open_slide):
    page = open_slide()
    page.get_by_role("tab", name="Differential").click()
    page.locator(".counts").wait_for()
    for wrong in ("seven", "7500", "2000"):
        page.get_by_label("WBC of the analyser").fill(wrong)
        page.get_by_text("WBC: a number above 0 and below 2000 is expected").wait_for()
        assert page.locator(".counts").count() == 1, "the figures stay"
    page.get_by_role("button", name="Sign …").click()
    page.get_by_role("alert").filter(has_text="below 2000").first.wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_a_slide_is_read_and_signed_by_keys_alone(alone, open_page):
    page = open_page(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.wait_for_selector(".cell:focus")
    page.keyboard.press(".")
    correct(page, "LY")
    page.keyboard.press("Shift+D")
    page.get_by_role("button", name="Sign …").wait_for()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Sign …":
            break
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Sign":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()


def test_each_version_is_downloaded_as_it_was_signed(open_slide):
    page = open_slide()
    correct(page, "BL")
    page.get_by_role("tab", name="Versions").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV, preliminary").click()
    assert "preliminary" in saved.value.path().read_text(encoding="utf-8")
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    page.get_by_role("tab", name="Versions").click()
    page.get_by_role("heading", name="Version 1").wait_for()
    for name in ("CSV", "PDF", "FHIR", "HL7", "GeoJSON"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"{name}, version 1").click()
        assert saved.value.path().stat().st_size > 20  # no cell has a field: GeoJSON has no feature
        assert saved.value.suggested_filename.startswith("differential")


def test_what_is_missing_is_said_in_a_sentence_that_can_be_seen(open_slide):
    page = open_slide()
    page.expected = ("409",)
    for _ in range(4):
        page.keyboard.press(".")
        page.keyboard.press("Enter")
    page.keyboard.press(".")
    page.locator("#live:not(.sr-only)").get_by_text("No doubtful cell is left.").wait_for()
    page.get_by_text("All saved").wait_for()
    told = page.get_by_role("dialog")
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    told.get_by_role("button", name="Sign").click()
    page.locator(".banner").get_by_role("button", name="Amend").click()
    told.get_by_label("Reason").fill("none")
    told.get_by_role("button", name="Amend").click()
    page.locator(".banner").wait_for(state="detached")
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    told.get_by_role("button", name="Sign").click()
    told.get_by_text("Nothing was changed since version 1").wait_for()
    assert told.get_by_text("Nothing was changed since").inner_text().endswith("why it stands.")
