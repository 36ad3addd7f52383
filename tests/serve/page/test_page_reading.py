"""Reading a slide on the page: by keys, by mouse, several cells at once, and back again."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]

SELECTED = '[role=option][aria-selected="true"]'


def focused(page) -> int:
    return int(page.evaluate("document.activeElement.dataset.n ?? 0"))


def class_of(page, n: int) -> str:
    return page.get_attribute(f'.cells:has([data-n="{n}"])', "data-code")


def wait_saved(page) -> None:
    page.get_by_text("All saved").wait_for()


def stored(page, n: int, role: str = "first") -> str | None:
    """The decision that the server has."""
    slide = page.url.split("/slides/")[1].split("/")[0]
    reply = page.request.get(f"{page.url.split('#')[0]}api/v1/slides/{slide}/cells?role={role}")
    return next(cell["label"] for cell in reply.json()["cells"] if cell["n"] == n)


def test_the_worklist_leads_to_a_slide(alone, open_page):
    page = open_page(alone.url)
    n = alone.take_slide()
    name = f"S-{n:02d}"
    page.get_by_label("Search slides and patients").fill(name)
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("link", name="Read", exact=True).click()
    page.wait_for_selector(".cell")
    assert page.locator(".cell").count() == 32
    assert name in page.title()
    assert "Not a medical device" in page.locator("footer").inner_text()


def test_cells_stand_by_class_the_most_doubtful_first(open_slide):
    page = open_slide()
    groups = page.evaluate(
        "[...document.querySelectorAll('[role=listbox]')].map((list) => [...list.children]"
        ".map((cell) => cell.classList.contains('look')))"
    )
    assert sum(map(sum, groups)) == 4
    assert all(group == sorted(group, reverse=True) for group in groups)
    doubtful = page.locator(".cell.look").first
    assert "top probability" in doubtful.inner_text()
    assert "needs a look" in doubtful.get_attribute("aria-label")


def test_a_cell_is_corrected_by_keys(open_slide):
    page = open_slide()
    page.keyboard.press(".")
    n = focused(page)
    before = class_of(page, n)
    wanted = "LY" if before != "LY" else "MO"
    key = page.get_attribute(f'.palette [data-drop="{wanted}"]', "aria-keyshortcuts")
    page.keyboard.press(key)
    assert class_of(page, n) == wanted
    assert focused(page) not in (0, n), "the focus goes on to the next cell"
    assert page.locator("#live").inner_text() == {"LY": "lymphocyte.", "MO": "monocyte."}[wanted]
    wait_saved(page)
    assert stored(page, n) == wanted
    assert f"was {before}" in page.locator(f'[data-n="{n}"] .told').inner_text()


def test_enter_confirms_and_delete_withdraws(open_slide):
    page = open_slide()
    n, code = focused(page), class_of(page, focused(page))
    page.keyboard.press("Enter")
    wait_saved(page)
    assert stored(page, n) == code
    assert "confirmed" in page.get_attribute(f'[role=option][data-n="{n}"]', "aria-label")
    page.locator(f'[role=option][data-n="{n}"]').click()
    page.keyboard.press("Delete")
    wait_saved(page)
    assert stored(page, n) is None


def test_arrow_keys_go_through_all_classes(open_slide):
    page = open_slide()
    order = page.evaluate(
        "[...document.querySelectorAll('[role=option]')].map((x) => +x.dataset.n)"
    )
    seen = [focused(page)]
    for _ in order[1:]:
        page.keyboard.press("ArrowRight")
        seen.append(focused(page))
    assert seen == order
    classes = list(dict.fromkeys(class_of(page, n) for n in order))
    page.keyboard.press("Home")
    up = [class_of(page, focused(page))]
    for _ in order:
        page.keyboard.press("ArrowUp")
        up.append(class_of(page, focused(page)))
    assert list(dict.fromkeys(up)) == classes[::-1]
    assert page.locator('[role=option][tabindex="0"]').count() == 1


def test_a_cell_to_label_next_is_suggested(open_slide, wait_until):
    page = open_slide()
    base, _, place = page.url.partition("#/slides/")
    query = f"{base}api/v1/suggestions?slide={place.split('/')[0]}&count=1"
    seen = []
    for _ in range(2):
        asked = page.request.get(query).json()["cells"][0]["n"]
        page.keyboard.press("Shift+N")
        wait_until(page, f"Number(document.activeElement.dataset.n) === {asked}")
        seen.append(focused(page))
        page.keyboard.press("Enter")
        wait_saved(page)
    assert len(set(seen)) == 2


def test_several_cells_at_once(open_slide):
    page = open_slide()
    cells = page.locator('[data-code="SNE"] .cell')
    chosen = [int(cells.nth(i).get_attribute("data-n")) for i in (0, 1, 2, 4)]
    cells.nth(0).click()
    cells.nth(2).click(modifiers=["Shift"])
    cells.nth(4).click(modifiers=["Control"])
    assert page.locator(SELECTED).count() == 4
    page.locator('.palette [data-drop="BNE"]').click()
    assert {class_of(page, n) for n in chosen} == {"BNE"}
    wait_saved(page)
    assert [stored(page, n) for n in chosen] == ["BNE"] * 4
    page.get_by_role("button", name="Select all of lymphocyte").click()
    assert page.locator(SELECTED).count() == page.locator('[data-code="LY"] .cell').count() > 4


def test_a_selection_is_dragged_onto_a_heading(open_slide):
    page = open_slide()
    cells = page.locator('[data-code="SNE"] .cell')
    chosen = [int(cells.nth(i).get_attribute("data-n")) for i in (0, 1)]
    cells.nth(0).click()
    cells.nth(1).click(modifiers=["Shift"])
    cells.nth(0).drag_to(page.locator('section[data-drop="MMY"] h2'))
    assert {class_of(page, n) for n in chosen} == {"MMY"}
    moved = page.locator(f'[role=option][data-n="{chosen[0]}"]')
    moved.drag_to(page.locator('.palette [data-drop="BL"]'))
    assert [class_of(page, n) for n in chosen] == ["BL", "MMY"]


def test_undo_and_redo_are_decisions_of_their_own(open_slide):
    page = open_slide()
    n, before = focused(page), class_of(page, focused(page))
    page.keyboard.press("Shift+ArrowRight")
    page.locator('.palette [data-drop="BL"]').click()
    wait_saved(page)
    page.keyboard.press("Control+z")
    assert class_of(page, n) == before
    assert focused(page) == n
    wait_saved(page)
    assert stored(page, n) is None
    page.keyboard.press("Control+Shift+Z")
    wait_saved(page)
    assert stored(page, n) == "BL"
    history = page.request.get(f"{page.url.split('#')[0]}api/v1/cells/{n}?role=first").json()
    assert [one["label"] for one in history["history"]] == ["BL", None, "BL"]


def test_the_cell_is_shown_large_with_look_alikes(open_slide, wait_until):
    page = open_slide()
    page.get_by_role("heading", name="Look-alikes").wait_for()
    assert page.locator(".compared figure").count() > 1
    page.get_by_role("button", name="Zoom in").click()
    viewer = page.locator(".viewer")
    wide = viewer.evaluate("(viewer) => viewer.scrollWidth / viewer.clientWidth")
    assert wide == pytest.approx(1.5, abs=0.05)
    page.keyboard.press("Shift+O")
    page.locator(".pane svg polygon").first.wait_for(state="attached")
    page.keyboard.press("Shift+W")
    assert page.locator(".pane .inner img").get_attribute("src").endswith("?white=1")
    wait_until(page, "[...document.images].filter((i) => i.complete).every((i) => i.naturalWidth)")


def test_many_cells_load_only_the_pictures_in_sight(serve, open_page, tmp_path_factory, wait_until):
    from benchmarks.review_slides import render_slides

    counts = {"SNE": 600, "LY": 400}
    many = render_slides(tmp_path_factory.mktemp("many"), {"S": counts}, 10, n_drawn=2)
    server = serve(of=many)
    page = open_page(server.url)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}#/slides/1/first")
    page.locator(".cell").nth(999).wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    assert sum("/image" in url for url in asked) < 400
    page.keyboard.press("PageDown")
    page.keyboard.press("End")
    page.locator(".cell:focus img").wait_for()
    wait_until(page, "document.activeElement.querySelector('img').naturalWidth > 0")
