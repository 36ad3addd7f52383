"""The page for everyone: axe-core, phone width, dark and light, nothing from elsewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def axe():
    """Axe-core, as its Python package carries it."""
    module = pytest.importorskip("axe_playwright_python.sync_playwright")
    return module.Axe()


def faults(axe, page) -> list[str]:
    """What axe-core finds serious, with the element."""
    found = axe.run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found if one["impact"] in SERIOUS for node in one["nodes"]
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(alone, open_page, axe, scheme):
    page = open_page(alone.url, color_scheme=scheme)
    page.wait_for_selector(".worklist")
    assert not faults(axe, page)
    page.goto(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.get_by_role("heading", name="Look-alikes").wait_for()
    page.keyboard.press(page.get_attribute('.palette [data-drop="LY"]', "aria-keyshortcuts"))
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+ArrowRight")
    assert not faults(axe, page)
    page.get_by_role("tab", name="Differential").click()
    page.locator(".counts").wait_for()
    assert not faults(axe, page)
    page.get_by_role("button", name="Sign …").click()
    page.get_by_role("dialog").wait_for()
    assert not faults(axe, page)
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Versions").click()
    page.get_by_role("button", name="CSV").wait_for()
    assert not faults(axe, page)
    page.goto(f"{alone.url}#/log")
    page.get_by_text("The log is whole").wait_for()
    assert not faults(axe, page)


@pytest.mark.parametrize("width", [360, 390, 800])
def test_all_fits_a_narrow_window(alone, open_page, width):
    page = open_page(alone.url, viewport={"width": width, "height": 740}, has_touch=True)
    page.wait_for_selector(".worklist")
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == width
    page.goto(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.wait_for_selector(".cell")
    assert page.evaluate(wide) == width
    page.get_by_role("button", name="Select several").tap()
    page.locator(".cell").nth(0).tap()
    page.locator(".cell").nth(1).tap()
    assert page.locator('[aria-selected="true"][role=option]').count() == 2
    page.locator('.palette [data-drop="LY"]').tap()
    page.get_by_role("tab", name="Differential").tap()
    page.locator(".counts").wait_for()
    assert page.evaluate(wide) == width
    assert page.locator(".pane").evaluate("(pane) => pane.scrollWidth - pane.clientWidth") == 0


def test_a_chosen_theme_holds_after_a_reload(alone, open_page):
    page = open_page(alone.url, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    page.wait_for_selector(".worklist")
    light = page.evaluate(ground)
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.wait_for_selector(".worklist")
    assert page.evaluate(ground) == dark


def test_nothing_is_asked_of_other_hosts(alone, open_page):
    page = open_page(alone.url)
    asked = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    page.goto(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.reload()
    page.get_by_role("heading", name="Look-alikes").wait_for()
    assert set(asked) == {urlsplit(alone.url).netloc}


def test_the_keys_are_listed(open_slide):
    page = open_slide()
    page.keyboard.press("?")
    told = page.get_by_role("dialog")
    assert "segmented neutrophil (SNE)" in told.inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.role") == "option", "the focus is back"
