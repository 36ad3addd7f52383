"""Two readers, blind to each other; their disagreements, the consensus, the log."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]


def choose(page, n: int, code: str) -> None:
    page.locator(f'[role=option][data-n="{n}"]').click()
    page.locator(f'.palette [data-drop="{code}"]').click()


def finish(page) -> None:
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Finish reading").click()
    page.get_by_role("dialog").get_by_role("button", name="Finish").click()
    page.get_by_text("This reading is finished.").first.wait_for()


def test_two_readers_disagree_and_a_third_decides(together, open_page, log_in):
    slide = together.take_slide()

    def enter(name: str):
        page = open_page(together.url)
        log_in(page, name)
        return page

    def row(page):
        page.goto(f"{together.url}#/")
        return page.locator("tbody tr").filter(has_text=f"S-{slide:02d}")

    anna, ben, cleo = enter("anna"), enter("ben"), enter("cleo")
    row(anna).get_by_role("link", name="Read", exact=True).click()
    anna.wait_for_selector(".cell")
    cells = anna.evaluate(
        "[...document.querySelectorAll('[role=option]')].map((x) => +x.dataset.n)"
    )
    choose(anna, cells[0], "BL")
    choose(anna, cells[1], "EO")
    anna.get_by_text("All saved").wait_for()

    row(ben).get_by_role("link", name="Read as second").click()
    ben.wait_for_selector(".cell")
    ben.wait_for_timeout(300)
    assert ben.locator(".cell.changed, .cell.confirmed").count() == 0, "blind"
    assert ben.locator('[data-code="BL"] .cell').count() == 0
    choose(ben, cells[0], "VLY")
    choose(ben, cells[1], "EO")
    finish(anna)
    finish(ben)

    row(cleo).get_by_role("link", name="Disagreements").click()
    cleo.locator(".disagreements tbody tr").first.wait_for()
    assert cleo.locator(".disagreements tbody tr").count() == 1
    assert "blast" in cleo.locator(".disagreements tbody").inner_text()
    assert "31 cells agreed, 1 not" in cleo.locator("main").inner_text()
    cleo.get_by_role("link", name="Decide consensus").click()
    open_case = cleo.locator('[data-code="?"] .cell')
    open_case.wait_for()
    assert "1st BL · 2nd VLY" in open_case.inner_text()
    cleo.get_by_role("tab", name="Differential").click()
    assert cleo.get_by_role("button", name="Sign …").is_disabled()
    choose(cleo, cells[0], "VLY")
    cleo.get_by_text("All saved").wait_for()
    cleo.get_by_role("button", name="Sign …").click()
    told = cleo.get_by_role("dialog")
    told.wait_for()
    assert "2 of the cells given another class than predicted" in told.inner_text()
    assert "doubtful cells without a decision" in told.inner_text(), "of any reading"
    blast, variant = (told.get_by_role("row", name=name) for name in ("blast", "variant lymph"))
    assert (blast.count(), variant.count()) == (0, 1), "what is signed is the consensus"
    assert "differed on 1 of 32 cells" in told.inner_text()
    assert "32 leukocytes counted: too few" in told.inner_text()
    told.get_by_role("button", name="Sign").click()
    cleo.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    cleo.locator(".banner").get_by_role("button", name="Amend").click()
    told.get_by_label("Reason").fill("another look")
    told.get_by_role("button", name="Amend").click()
    cleo.locator(".banner").wait_for(state="detached")
    choose(cleo, cells[0], "BL")  # the amendment opened the consensus
    cleo.get_by_text("All saved").wait_for()


def test_a_look_at_a_slide_takes_no_role(together, open_page, log_in):
    slide = together.take_slide()
    anna, ben = open_page(together.url), open_page(together.url)
    log_in(anna, "anna")
    log_in(ben, "ben")
    anna.goto(f"{together.url}#/slides/{slide}/first")
    anna.wait_for_selector(".cell")
    n = anna.evaluate("+document.querySelector('[role=option]').dataset.n")
    choose(anna, n, "BL")
    anna.get_by_text("All saved").wait_for()
    ben.get_by_label("Search slides and patients").wait_for()
    ben.reload()  # the worklist as it is now
    listed = ben.locator("tbody tr").filter(has_text=f"S-{slide:02d}")
    assert listed.locator('[data-label="Changed"]').inner_text() == "–"
    ben.get_by_role("link", name=f"S-{slide:02d}", exact=True).click()
    ben.get_by_text("You look at this slide without a role in it.").wait_for()
    assert ben.locator('[data-code="BL"] .cell').count() == 0, "who may read it as second is blind"
    row = ben.request.get(f"{together.url}api/v1/slides/{slide}").json()
    assert row["my_role"] is None
    ben.get_by_role("link", name="Read as second").click()
    ben.locator(".role").get_by_text("Second reading").wait_for()


def test_who_may_not_read_sees_why(together, open_page, log_in):
    slide = together.take_slide()
    anna, ben = open_page(together.url), open_page(together.url)
    log_in(anna, "anna")
    log_in(ben, "ben")
    anna.goto(f"{together.url}#/slides/{slide}/first")
    anna.wait_for_selector(".cell")
    ben.expected = ("409",)
    ben.goto(f"{together.url}#/slides/{slide}/first")
    ben.get_by_role("alert").filter(has_text="anna").wait_for()


def test_the_admin_checks_the_log(together, open_page, log_in):
    page = open_page(together.url)
    log_in(page, "ada")
    page.get_by_role("link", name="Log", exact=True).click()
    page.get_by_text("The log is whole").wait_for()
    assert page.locator(".log tbody tr").count() > 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_readers_and_model_are_compared(alone, open_page, open_slide):
    page = open_slide()
    choose(page, page.locator(".cell").first.get_attribute("data-n"), "ARTEFACT")
    finish(page)
    page = open_page(alone.url)
    page.get_by_role("link", name="Readers and model").click()
    page.get_by_role("heading", name="Readers and model").wait_for()
    page.get_by_text("read, ").first.wait_for()
    page.get_by_text("no class by the reader (").wait_for()
    assert "no white cell: 1" in page.locator("main").inner_text()
    page.get_by_role("cell", name="1 of the model's").wait_for()


def test_the_admin_makes_an_account_that_logs_in(together, open_page, log_in):
    page = open_page(together.url)
    log_in(page, "ada")
    page.get_by_role("link", name="Accounts").click()
    page.get_by_role("button", name="Add an account …").click()
    told = page.get_by_role("dialog")
    told.get_by_label("Name").fill("dora")
    told.get_by_label("Password").fill("rendered cells only")
    told.get_by_label("signer").check()
    told.get_by_role("button", name="Add").click()
    page.get_by_role("row", name="dora").get_by_text("reader, signer").wait_for()
    other = open_page(together.url)
    log_in(other, "dora")
    other.locator(".worklist").wait_for()
    page.get_by_role("row", name="dora").get_by_role("button", name="Lock out …").click()
    told.get_by_role("button", name="Lock out").click()
    page.get_by_role("row", name="dora (locked)").wait_for()
    other.expected = ("401",)
    other.reload()
    other.get_by_role("dialog", name="Log in").wait_for()


def test_a_wrong_password_is_refused(together, open_page, log_in):
    page = open_page(together.url)
    page.expected = ("401", "429")
    log_in(page, "ben", "wrong password")
    page.get_by_role("alert").filter(has_text="assword").wait_for()
    assert page.locator(".worklist").count() == 0


def test_a_reading_before_a_consensus_is_not_where_it_is_signed(together, open_page, log_in):
    slide = together.take_slide()
    place = f"{together.url}#/slides/{slide}"
    cleo, ben = open_page(together.url), open_page(together.url)
    log_in(cleo, "cleo")
    log_in(ben, "ben")
    for page, role, code in ((cleo, "first", "BL"), (ben, "second", "VLY")):
        page.goto(f"{place}/{role}")
        page.wait_for_selector(".cell")
        n = page.evaluate("+document.querySelector('.cell').dataset.n")
        choose(page, n, code)
        page.get_by_text("All saved").wait_for()
        finish(page)
    cleo.goto(f"{place}/consensus")
    cleo.locator('[data-code="?"] .cell').wait_for()
    choose(cleo, n, "VLY")
    cleo.get_by_text("All saved").wait_for()
    cleo.goto(f"{place}/first")
    cleo.get_by_text("A consensus changes labels now.").wait_for()
    cleo.get_by_role("tab", name="Differential").click()
    assert cleo.get_by_role("button", name="Sign …").count() == 0
    cleo.get_by_text("What is signed is the consensus").get_by_role("link", name="open it").click()
    cleo.locator(".role").get_by_text("Consensus").wait_for()
    cleo.set_viewport_size({"width": 390, "height": 844})
    for where in (f"{place}/disagreements", f"{place}/consensus"):
        cleo.goto(where)
        cleo.locator(".disagreements, .cell").first.wait_for()
        assert cleo.evaluate("document.documentElement.scrollWidth") == 390


def _reader_and_signer(server, open_page, log_in):
    """A new slide, the page of who reads it, and the page of a signer who has not."""
    slide = server.take_slide()
    anna, cleo = open_page(server.url), open_page(server.url)
    log_in(anna, "anna")
    log_in(cleo, "cleo")
    anna.goto(f"{server.url}#/slides/{slide}/first")
    anna.wait_for_selector(".cell")
    return slide, anna, cleo


def test_a_signer_corrects_what_somebody_else_has_read_alone(one_reader, open_page, log_in):
    server = one_reader
    slide, anna, cleo = _reader_and_signer(server, open_page, log_in)
    first, second = anna.evaluate(
        "[...document.querySelectorAll('[role=option]')].slice(0, 2).map((x) => +x.dataset.n)"
    )
    choose(anna, first, "BL")
    anna.get_by_text("All saved").wait_for()
    finish(anna)
    row = cleo.locator("tbody tr").filter(has_text=f"S-{slide:02d}")
    row.wait_for()
    cleo.reload()
    row.get_by_role("link", name="Correct", exact=True).wait_for()
    assert anna.get_by_role("link", name="Correct").count() == 0, "who read it opens it again"
    row.get_by_role("link", name=f"S-{slide:02d}", exact=True).click()
    cleo.get_by_text("You look at this slide without a role in it.").wait_for()
    cleo.locator(".banner").get_by_role("link", name="Correct").click()
    cleo.locator(".role").get_by_text("Correction").wait_for()
    assert cleo.locator('[data-code="BL"] .cell').count() == 1, "as anna left it"
    choose(cleo, second, "BL")
    cleo.get_by_text("All saved").wait_for()
    cleo.get_by_role("tab", name="Differential").click()
    cleo.get_by_role("button", name="Sign …").click()
    told = cleo.get_by_role("dialog")
    told.wait_for()
    assert "2 of the cells decided one by one" in told.inner_text()
    told.get_by_role("button", name="Sign").click()
    cleo.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    said = cleo.request.get(f"{server.url}api/v1/slides/{slide}/export/csv").text()
    assert "First reading: anna" in said
    assert "Correction: cleo" in said


def test_a_signer_amends_what_somebody_else_has_read_alone(one_reader, open_page, log_in):
    server = one_reader
    slide, anna, cleo = _reader_and_signer(server, open_page, log_in)
    finish(anna)
    cleo.goto(f"{server.url}#/slides/{slide}/view")
    cleo.get_by_role("tab", name="Differential").click()
    cleo.get_by_role("button", name="Sign …").click()
    told = cleo.get_by_role("dialog")
    told.get_by_role("button", name="Sign").click()
    cleo.locator(".banner").get_by_role("button", name="Amend").click()
    told.get_by_label("Reason").fill("another look")
    told.get_by_role("button", name="Amend").click()
    cleo.locator(".banner").get_by_role("link", name="Correct").click()
    cleo.locator(".role").get_by_text("Correction").wait_for()
    choose(cleo, cleo.evaluate("+document.querySelector('.cell').dataset.n"), "BL")
    cleo.get_by_text("All saved").wait_for()
