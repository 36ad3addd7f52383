"""The page for everyone: axe-core, phone width, dark and light, nothing from elsewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]

SERIOUS = ("serious", "critical")
PASSWORD = "rendered cells only"


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


DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 740}
LOOKS = [
    pytest.param({"color_scheme": scheme, "viewport": size}, id=f"{scheme}-{size['width']}")
    for scheme in ("light", "dark") for size in (DESKTOP, PHONE)
]  # fmt: skip


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def shut_pane(page) -> None:
    """On a phone the pane covers the cells."""
    close = page.locator(".pane.open .shut")
    if close.is_visible():
        close.click()


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_serious(alone, open_page, axe, look):
    page = open_page(alone.url, **look)
    page.wait_for_selector(".worklist")
    assert not faults(axe, page)
    page.goto(f"{alone.url}#/slides/{alone.take_slide()}/first")
    page.wait_for_selector(".cell:focus")
    page.keyboard.press(page.get_attribute('.palette [data-drop="LY"]', "aria-keyshortcuts"))
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+ArrowRight")
    assert not faults(axe, page)
    page.locator(".cell").first.click()
    open_tab(page, "Cell")
    page.get_by_role("heading", name="Look-alikes").wait_for()
    assert not faults(axe, page)
    open_tab(page, "Differential")
    page.locator(".counts").wait_for()
    assert not faults(axe, page)
    page.get_by_role("button", name="Sign …").click()
    page.get_by_role("dialog").wait_for()
    assert not faults(axe, page)
    page.keyboard.press("Escape")
    open_tab(page, "Versions")
    page.get_by_role("button", name="CSV").wait_for()
    assert not faults(axe, page)
    shut_pane(page)
    page.locator(".cell").first.focus()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    assert not faults(axe, page)
    page.keyboard.press("Escape")
    page.goto(f"{alone.url}#/log")
    page.get_by_text("The log is whole").wait_for()
    page.locator(".entries summary").first.click()
    assert not faults(axe, page)
    page.goto(f"{alone.url}#/agreement")
    page.get_by_role("heading", name="Readers and model").wait_for()
    assert not faults(axe, page)


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_serious_where_several_work(together, open_page, axe, look, log_in):
    page = open_page(together.url, **look)
    page.get_by_role("dialog", name="Log in").wait_for()
    assert not faults(axe, page)
    log_in(page, "ada")
    page.wait_for_selector(".worklist")
    page.goto(f"{together.url}#/accounts")
    page.get_by_role("heading", name="Accounts").wait_for()
    assert not faults(axe, page)
    for name in ("Add an account …", "Password …", "Tokens …", "Lock out …"):
        page.get_by_role("button", name=name).first.click()
        page.get_by_role("dialog").wait_for()
        assert not faults(axe, page), name
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
    page.goto(f"{together.url}#/slides/{disputed(page, together)}/disagreements")
    page.locator(".disagreements tbody tr").first.wait_for()
    assert not faults(axe, page)
    page.get_by_role("link", name="View", exact=True).wait_for()
    page.goto(f"{together.url}#/agreement")
    page.get_by_role("heading", name="Readers and model").wait_for()
    page.locator("tbody tr").first.wait_for()
    assert not faults(axe, page)


def disputed(page, server) -> int:
    """A slide on which two readers differ, read by programs."""
    slide = server.take_slide()
    api = f"{server.url}api/v1"
    for name, role, label in (("anna", "first", "BL"), ("ben", "second", "VLY")):
        context = page.context.browser.new_context()
        send = context.request
        given = {"name": name, "password": PASSWORD}
        csrf = send.post(f"{api}/login", data=given).json()["csrf"]
        headers = {"X-CSRF-Token": csrf}
        path = f"{api}/slides/{slide}/readings"
        send.post(path, data={"role": role}, headers=headers)
        n = send.get(f"{api}/slides/{slide}/cells?role={role}").json()["cells"][0]["n"]
        one = {"client_id": f"decision-{name}", "cell": n, "role": role, "label": label}
        one["client_id"] += f"-{slide}"
        done = send.post(f"{api}/decisions", data={"decisions": [one]}, headers=headers)
        assert len(done.json()["accepted"]) == 1
        assert send.post(f"{path}/{role}/finish", headers=headers).ok
        context.close()
    return slide


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
