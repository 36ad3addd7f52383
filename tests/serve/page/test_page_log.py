"""The log in words, and tokens one by one."""

from __future__ import annotations

import pytest

PASSWORD = "rendered cells only"
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]


def test_the_log_says_who_changed_which_cell_from_what_to_what(alone, open_page):
    slide = alone.take_slide()
    page = open_page(f"{alone.url}#/slides/{slide}/first")
    page.wait_for_selector(".cell:focus")
    page.keyboard.press(".")
    cell = page.evaluate("document.activeElement.getAttribute('aria-label')")
    predicted = cell.split(",")[0].lower()
    page.keyboard.press(page.get_attribute('.palette [data-drop="BL"]', "aria-keyshortcuts"))
    page.get_by_text("All saved").wait_for()
    page.keyboard.press("Control+z")
    page.get_by_text("All saved").wait_for()
    page.goto(f"{alone.url}#/log")
    page.get_by_text("The log is whole").wait_for()
    page.get_by_label("Slide").select_option(label=f"S-{slide:02d}")
    page.locator(".entries tbody tr").nth(2).wait_for()
    page.locator(".entries tbody tr").nth(3).wait_for(state="detached")
    undone, decided, taken = page.locator(".entries tbody tr").all()
    told = decided.inner_text()
    assert f"From {predicted} to blast" in told
    assert "predicted" in told
    assert "by model 5eed5eed5eed" in told
    assert f"S-{slide:02d}" in told
    assert undone.inner_text().count("Undone: blast withdrawn") == 1
    assert "Took the first reading" in taken.inner_text()
    picture = decided.locator("img")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    assert not decided.locator("pre").is_visible()
    decided.locator("summary").click()
    assert '"kind": "decided"' in decided.locator("pre").inner_text()
    page.get_by_label("What").select_option("taken")
    page.locator(".entries tbody tr").nth(1).wait_for(state="detached")


def test_the_log_is_turned_page_by_page(alone, open_page):
    page = open_page(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.wait_for_selector(".cell:focus")
    for name, code in (("segmented neutrophil", "EO"), ("eosinophil", "LY"), ("lymphocyte", "MO")):
        page.get_by_role("button", name=f"Select all of {name}", exact=True).click()
        page.locator(f'.palette [data-drop="{code}"]').click()
    page.get_by_text("All saved").wait_for()
    page.goto(f"{alone.url}#/log")
    older, newer = (page.get_by_role("button", name=name) for name in ("Older", "Newer"))
    page.locator(".entries tbody tr").nth(49).wait_for()
    first = page.locator(".entries summary").first.inner_text()
    assert newer.get_attribute("aria-disabled") == "true"
    older.click()
    page.get_by_text(first, exact=True).wait_for(state="detached")
    assert page.locator(".entries tbody tr").count() > 0
    newer.click()
    page.get_by_text(first, exact=True).wait_for()
    assert newer.get_attribute("aria-disabled") == "true"
    assert page.evaluate("document.activeElement.textContent") == "Newer"


def test_a_token_is_made_used_and_voided_alone(together, open_page, log_in):
    page = open_page(together.url)
    log_in(page, "anna")
    page.get_by_role("link", name="Account", exact=True).click()
    page.get_by_role("heading", name="Your account").wait_for()
    assert page.locator("tbody tr").count() == 1, "nobody else's"
    page.get_by_role("button", name="Tokens …").click()
    listed = page.get_by_role("dialog", name="Tokens of anna")
    listed.get_by_text("No tokens.").wait_for()
    made = []
    for purpose in ("export", "backup"):
        listed.get_by_role("button", name="Make a token …").click()
        told = page.get_by_role("dialog", name="Token for a program of anna")
        told.get_by_label("What for").fill(purpose)
        told.get_by_role("button", name="Make").click()
        told.get_by_text("bcr_").wait_for()
        made.append(told.get_by_text("bcr_").inner_text())
        told.get_by_role("button", name="Close").click()
    listed.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Password …").click()
    told = page.get_by_role("dialog", name="New password of anna")
    told.get_by_text("Other sessions of this account end. Its tokens stay.").wait_for()
    told.get_by_label("New password").fill(PASSWORD)
    told.get_by_label("Current password").fill("not her password")
    page.expected = ("403",)
    told.get_by_role("button", name="Change").click()
    told.get_by_role("alert").filter(has_text="The current password is wrong").wait_for()
    told.get_by_label("Current password").fill(PASSWORD)
    told.get_by_role("button", name="Change").click()
    page.get_by_text("2 tokens of it still work: “Tokens …” voids them.").wait_for()
    page.context.clear_cookies()
    asked = [
        page.request.get(
            f"{together.url}api/v1/slides", headers={"Authorization": f"Bearer {token}"}
        )
        for token in made
    ]
    assert [reply.status for reply in asked] == [200, 200]
    page.expected = ("401", "403")
    page.reload()
    log_in(page, "anna")
    page.get_by_role("button", name="Tokens …").click()
    row = listed.get_by_role("row", name="export")
    assert "never" not in row.inner_text()
    row.get_by_role("button", name="Void the token for export …").click()
    page.get_by_role("dialog", name="Void the token for export").get_by_role(
        "button", name="Void", exact=True
    ).click()
    row.wait_for(state="detached")
    page.get_by_role("dialog", name="Void the token for export").wait_for(state="detached")
    assert page.evaluate("document.activeElement.closest('dialog') !== null"), "focus in the list"
    statuses = [
        page.request.get(
            f"{together.url}api/v1/slides", headers={"Authorization": f"Bearer {token}"}
        ).status
        for token in made
    ]
    assert statuses == [401, 200]


def test_a_damaged_entry_is_told_among_the_others(alone, open_page):
    page = open_page(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.wait_for_selector(".cell:focus")
    for code in ("BL", "EO"):
        page.locator(f'.palette [data-drop="{code}"]').click()
    page.get_by_text("All saved").wait_for()

    def damage(route):
        reply = route.fetch()
        found = reply.json()
        readable, unreadable, odd = found["entries"][:3]
        readable["damage"] = ["its hash does not follow from it and the entry before"]
        unreadable |= {"data": {}, "body": "{", "damage": ["its body is no JSON object"]}
        odd |= {"kind": "user_added", "data": {}}
        route.fulfill(response=reply, json=found)

    page.route("**/api/v1/log?*", damage)
    page.goto(f"{alone.url}#/log")
    rows = page.locator(".entries tbody tr")
    rows = page.locator(".entries tbody tr")
    rows.nth(3).wait_for()
    told = [row.inner_text() for row in rows.all()[:4]]
    assert "Damaged entry: From " in told[0]
    assert "its hash does not follow from it" in told[0]
    assert "Damaged entry: " in told[1]
    assert "its body is no JSON object" in told[1]
    assert "Damaged entry: account added" in told[2]
    assert "Damaged" not in told[3]
