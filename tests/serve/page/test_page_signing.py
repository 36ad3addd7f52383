"""Differential, signature, amendment, versions and downloads on the page."""

from __future__ import annotations

from uuid import uuid4

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]


def correct(page, code: str) -> None:
    """Give the cell with the focus a class by its key."""
    page.keyboard.press(page.get_attribute(f'.palette [data-drop="{code}"]', "aria-keyshortcuts"))


def send(page, path: str, **body) -> dict:
    """What another window does to the slide: this page is not told of it."""
    request, api = page.context.request, page.url.partition("#")[0] + "api/v1"
    headers = {"X-CSRF-Token": request.get(f"{api}/session").json()["csrf"]}
    address = f"{api}/{path}".format(slide=number(page))
    reply = request.post(address, data=body, headers=headers)
    assert reply.ok, reply.text()
    return reply.json()


def number(page) -> str:
    """Of the slide that is shown."""
    return page.url.split("/")[-2]


def enter_white_cells(page, wbc: float) -> None:
    """In another window."""
    send(page, "slides/{slide}/wbc", client_id=str(uuid4()), wbc=wbc)


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
    enter_white_cells(page, 9.5)
    told.get_by_role("button", name="Sign").click()
    page.get_by_role("alert").filter(has_text="nothing was signed").wait_for()
    told.wait_for(state="detached")
    page.locator(".banner").wait_for()  # the slide is shown anew
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    told.get_by_text("WBC 9.5").wait_for()
    told.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()


@pytest.mark.parametrize("before", [None, 5.5], ids=["without", "another"])
def test_the_white_cells_that_another_entered_are_shown_and_signed(open_slide, before):
    page = open_slide()
    if before is not None:
        enter_white_cells(page, before)
        page.reload()
        page.wait_for_selector(".cell")
    page.get_by_role("tab", name="Differential").click()
    field = page.get_by_label("WBC of the analyser")
    assert field.input_value() == ("" if before is None else "5.5")
    enter_white_cells(page, 7.5)
    page.get_by_role("button", name="Sign …").click()
    told = page.get_by_role("dialog")
    told.get_by_text("WBC 7.5 × 10⁹/L").wait_for()
    assert told.locator(".counts").get_by_text("10⁹/L").count() == 1
    assert field.input_value() == "7.5"
    with page.expect_request("**/sign") as sent:
        told.get_by_role("button", name="Sign").click()
    assert sent.value.post_data_json["wbc"] == 7.5
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()


def test_white_cells_typed_here_stand_after_those_of_another_were_shown(open_slide):
    page = open_slide()
    page.get_by_role("tab", name="Differential").click()
    field = page.get_by_label("WBC of the analyser")
    field.fill("5")
    page.get_by_role("button", name="Sign …").click()
    told = page.get_by_role("dialog")
    told.get_by_text("WBC 5 × 10⁹/L").wait_for()
    page.keyboard.press("Escape")
    enter_white_cells(page, 7.5)
    page.get_by_role("button", name="Sign …").click()
    told.get_by_text("WBC 7.5 × 10⁹/L").wait_for()
    page.keyboard.press("Escape")
    field.fill("5")
    page.get_by_role("button", name="Sign …").click()
    told.get_by_text("WBC 5 × 10⁹/L").wait_for()


def test_the_dialog_states_the_slide_as_it_is_now(open_slide):
    page = open_slide()
    page.get_by_role("tab", name="Differential").click()
    slide = f"api/v1/slides/{number(page)}"
    cells = page.context.request.get(page.url.partition("#")[0] + f"{slide}/cells").json()["cells"]
    one = {"client_id": str(uuid4()), "cell": cells[0]["n"], "role": "first", "label": "BL"}
    assert send(page, "decisions", decisions=[one])["accepted"]
    send(page, "slides/{slide}/readings/first/finish")
    assert send(page, "slides/{slide}/sign", client_id=str(uuid4()))["version"] == 1
    send(page, "slides/{slide}/amend", client_id=str(uuid4()), reason="none")

    def with_a_cell_more(route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json=reply.json() | {"n_cells": 33})

    page.route("**/differential?role=final*", with_a_cell_more)
    page.get_by_role("button", name="Sign …").click()
    told = page.get_by_role("dialog")
    told.wait_for()
    for words in ("of 33 cells of", "as version 2.", "1 of the cells given another class"):
        assert words in told.inner_text()


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
