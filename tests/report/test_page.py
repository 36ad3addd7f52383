"""The page: complete, well-formed, closed to the outside, and deaf to markup in the data."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from buffycoat.errors import OutputError, ShapeError
from buffycoat.evaluate.summary import evaluate
from buffycoat.report import page
from buffycoat.report.records import (
    NOT_A_MEDICAL_DEVICE,
    CellLists,
    MapPoint,
    ReportData,
    StageNote,
)
from buffycoat.taxonomy import PBC

EVIL = "<script>alert('x')</script><img src=x onerror=\"alert(1)\">&"


def test_page_holds_every_section_and_figure(full_report, record, parse):
    parsed = parse(page.render(full_report))
    assert parsed.open == []
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert [a["id"] for a in parsed.of("section")] == list(page.SECTIONS)
    for link in parsed.of("a"):
        assert link["href"][1:] in ids or link["href"].startswith("tables/")
    for words in (
        NOT_A_MEDICAL_DEVICE,
        f"{record['macro_f1']['estimate']:.3f}",
        "image-level",
        "A paragraph of the run.",
        "Does not win: off.",
        "−0.010−0.020 to +0.003",
        "true class ERB",
        "prediction set: LY, ERB",
        "spikiness 1.52 > 1.31",
        "Original kept",
        "noise, light",
        "hue shift1.50",
        "It lost out of fold.",
        "1 of 1 checks found",
        "What to do: Leave one out.",
        "config · hash",
        "abc123",
        "SNE, LY",
        "It has never seen a blast.",
        "not estimable",
        "3 cells",
    ):
        assert words in parsed.words, words
    # Interval plots, map and differential are drawn twice; panels and two curves once.
    assert len(parsed.of("svg")) == 2 * (5 + 2) + 10 + 2


def test_the_page_opens_with_a_verdict_the_key_figures_and_a_picture(full_report, parse):
    text = page.render(full_report)
    opening = text.partition('id="summary"')[2].partition("<svg")[0]
    assert opening.count("<p") == 1
    assert "of 100 cells of each class in eval are classified correctly" in opening
    assert "30 of 111 cells (27\N{NO-BREAK SPACE}%) are doubtful" in opening
    assert opening.count('class="big"') == 3
    assert "95\N{NO-BREAK SPACE}% interval" in opening


def test_the_same_data_give_the_same_page(full_report):
    assert page.render(full_report) == page.render(full_report)


def test_confused_cells_and_contact_sheets_are_pictures_with_words(full_report, parse):
    parsed = parse(page.render(full_report))
    named = [a["alt"] for a in parsed.of("img")]
    assert named.count("Cell cell-1: wrong, predicted LY, true class ERB") == 2  # pair and sheet
    assert "Cell cell-2: right, predicted ERB, true class ERB" in named


def test_only_the_first_cells_of_a_long_list_are_shown(full_report, parse):
    parsed = parse(page.render(full_report))
    shown = [a for a in parsed.of("img") if a["alt"].startswith("Cell doubtful-")]
    assert len(shown) == page.SHOWN_CELLS < len(full_report.cells.doubtful)
    assert f"The first {page.SHOWN_CELLS} are shown" in parsed.words


def test_page_needs_nothing_from_outside(full_report, parse):
    text = page.render(full_report)
    parsed = parse(text)
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in parsed.tags}
    assert all(a["src"].startswith("data:image/") for a in parsed.of("img"))
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert not re.search(r"url\((?!#)|@import", text)
    assert not [name for _, a in parsed.tags for name in a if name.startswith("on")]
    policy = next(a for a in parsed.of("meta") if a.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")
    assert "script" not in policy["content"]


def test_page_can_be_read_by_ear_and_by_keyboard(full_report, parse):
    parsed = parse(page.render(full_report))
    assert all(a.get("alt") for a in parsed.of("img"))
    assert len(parsed.of("caption")) == len(parsed.of("table"))
    assert all(a.get("scope") for a in parsed.of("th"))
    ids = {a["id"] for _, a in parsed.tags if "id" in a}
    for svg in parsed.of("svg"):
        assert svg["role"] == "img"
        assert {svg["aria-labelledby"], svg["aria-describedby"]} <= ids
    assert parsed.of("html")[0]["lang"] == "en"
    assert parsed.of("a")[0] == {"class": "skip", "href": "#main"}
    assert [len(parsed.of(tag)) for tag in ("main", "nav", "header", "footer")] == [1] * 4
    headings = [tag for tag, _ in parsed.tags if re.fullmatch(r"h\d", tag)]
    assert headings == ["h1"] + ["h2"] * len(page.SECTIONS)
    tables = len(parsed.of("table"))
    regions = [a for a in parsed.of("div") if a.get("class") == "scroll"]
    assert len(regions) == tables
    assert all(a["tabindex"] == "0" and a["role"] == "region" for a in regions)
    names = [a["aria-label"] for a in regions]
    assert len(set(names)) == len(names)


def test_markup_in_the_data_stays_words(full_report, record, parse):
    evil_class = record["per_class"][0] | {"code": EVIL, "name": EVIL}
    evil_record = record | {
        "codes": [EVIL, *record["codes"][1:]],
        "per_class": [evil_class, *record["per_class"][1:]],
        "absent": [EVIL],
        "by_severity": [record["by_severity"][0] | {"severity": EVIL}],
    }
    lists = full_report.cells
    cell = replace(
        lists.examples[0], caption=EVIL, predicted=EVIL, true=EVIL, evidence=[EVIL], why=EVIL
    )
    pair = replace(
        lists.restored[0], caption=EVIL, reason=EVIL, degradation=[EVIL], change={EVIL: 1.0}
    )
    finding = full_report.audit["checks"][0] | {"trouble": EVIL, "check": EVIL, "why": EVIL}
    text = page.render(
        replace(
            full_report,
            title=EVIL,
            evaluations={EVIL: evil_record},
            summary=[EVIL],
            ablation=[replace(full_report.ablation[1], stage=EVIL, note=EVIL)],
            stage_notes=[StageNote(EVIL, "off", EVIL)],
            curves={EVIL: {EVIL: full_report.curves["eval"]["SNE"]}},
            cells=CellLists(1, [cell], [cell], [pair], [cell], [cell], EVIL),
            audit=full_report.audit | {"data": EVIL, "checks": [finding]},
            provenance={EVIL: {EVIL: [EVIL]}},
            points=[*full_report.points, MapPoint(EVIL, "wrong", EVIL, 0.1, 0.1)],
            limits=[EVIL],
        )
    )
    parsed = parse(text)
    assert parsed.open == []
    assert parsed.of("script") == []
    assert all("onerror" not in attributes for _, attributes in parsed.tags)
    assert all(a["src"].startswith("data:image/") for a in parsed.of("img"))
    assert parsed.words.count(EVIL) > 30


def test_a_bare_report_says_what_it_lacks(parse):
    targets = np.array([0, 0, 1])
    record = evaluate(np.array([0, 1, 0]), targets, PBC)
    parsed = parse(page.render(ReportData("Bare", {"test": record})))
    assert parsed.open == []
    assert [a["id"] for a in parsed.of("section")] == list(page.SECTIONS)
    for words in (
        "What each stage adds is measured on labelled cells of an evaluation split.",
        "The severity of degradation is not known for these cells.",
        "These predictions came without probabilities.",
        "this run left no probabilities of single cells",
        "No single cells are listed.",
        "No audit of the data was handed to this report.",
        "not estimable",
        "Not in this split, so not scored: MO,",
    ):
        assert words in parsed.words, words


def test_cells_without_a_picture_say_so(full_report, parse):
    lists = full_report.cells
    blind = CellLists(
        9,
        [replace(lists.doubtful[0], image=None)],
        (),
        [replace(lists.restored[0], before=None, after=None)],
        (),
        (),
        "2 of 2 pictures of cells are not available.",
    )
    parsed = parse(page.render(replace(full_report, cells=blind)))
    assert parsed.of("img") == []
    assert parsed.words.count("no picture") == 2
    assert "2 of 2 pictures of cells are not available." in parsed.words
    assert "true class ERB" in parsed.words


def test_a_report_without_a_split_is_refused():
    with pytest.raises(ShapeError, match="at least one split"):
        page.render(ReportData("Nothing", {}))


def test_report_is_written_whole_or_not_at_all(full_report, tmp_path):
    path = tmp_path / "new" / "report.html"
    assert page.write_report(path, full_report) == tmp_path / "new" / "tables"
    assert path.read_text("utf-8") == page.render(full_report)
    blocked = tmp_path / "file"
    blocked.write_text("here")
    with pytest.raises(OutputError):
        page.write_report(blocked / "report.html", full_report)


def test_another_page_has_tables_of_its_own(full_report, tmp_path):
    folder = page.write_report(tmp_path / "second.html", full_report)
    assert folder == tmp_path / "second-tables"
    assert 'href="second-tables/classes.csv"' in (tmp_path / "second.html").read_text("utf-8")
