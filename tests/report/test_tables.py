"""Every number that is drawn or printed is a row of a table beside the page."""

from __future__ import annotations

import contextlib
import csv
from dataclasses import replace

import pytest

from buffycoat.report import page, svg
from buffycoat.report.records import ReportData
from buffycoat.report.tables import build_tables, write_tables

DRAWN_FROM = {
    "classes": "classes",
    "severity": "strata",
    "bands": "strata",
    "reliability": "reliability",
    "sets": "label_sets",
    "abstention": "abstention",
    "ablation": "ablation",
    "differential": "differential",
    "map": "map",
}
"""Figure -> table; the panels take from two."""
ROWS = {"classes", "severity", "bands", "sets", "ablation", "differential"}
"""Figures whose second axis counts rows."""


@pytest.fixture(scope="module")
def written(full_report, tmp_path_factory):
    """The page's text, and file -> row's name -> row, as a reader finds them on the disk."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    folder = page.write_report(path, full_report)
    files = {}
    for file in folder.iterdir():
        with open(file, encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        files[file.stem] = {row["row"]: row for row in rows}
        assert len(files[file.stem]) == len(rows), f"{file.name}: a row's name is used twice"
    return path.read_text("utf-8"), files


@pytest.fixture(scope="module")
def drawn(full_report):
    """Figure -> what matplotlib was asked to draw."""
    found, inline = {}, svg.inline

    def spy(figure, name, *words):
        found[name.removesuffix("-narrow")] = figure
        return inline(figure, name, *words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "inline", spy)
        page.render(full_report)
    return found


def _numbers(rows):
    words = [word for row in rows for word in row.values()]
    found = set()
    for word in words:
        with contextlib.suppress(ValueError):
            found.add(float(word))
    return found


def test_every_number_drawn_is_in_a_table(written, drawn):
    files = written[1]
    assert set(drawn) == {*DRAWN_FROM, *(f"curve-{number}" for number in range(10))}
    for name, figure in drawn.items():
        names = ("classes", "curves") if name.startswith("curve-") else (DRAWN_FROM[name],)
        known = _numbers(row for table in names for row in files[table].values()) | {0.0, 1.0}
        (axes,) = figure.axes
        x = [value for line in axes.lines for value in line.get_xdata()]
        x += [bar.get_width() for bar in axes.patches if name == "differential"]
        y = [] if name in ROWS else [value for line in axes.lines for value in line.get_ydata()]
        assert len(x) > 5 or name.startswith("curve-"), name
        assert set(map(float, x + y)) <= known, name


def test_each_figure_and_each_table_names_its_file(written, parse):
    text, files = written
    captions = [
        block.split("<figcaption>")[1].split("</figcaption>")[0]
        for block in text.split("<figure>")[1:]
        if "<svg" in block
    ]
    captions += [block.split("</caption>")[0] for block in text.split("<caption>")[1:]]
    assert len(captions) == 10 + text.count("<table")
    for caption in captions:
        names = [a["href"] for a in parse(caption).of("a")]
        assert names, caption
        assert all(name.split("/")[1].removesuffix(".csv") in files for name in names)


def test_every_marked_row_of_the_page_is_in_a_table(written, parse):
    text, files = written
    names = {name for table in files.values() for name in table}
    marked = [a["data-row"] for tag, a in parse(text).tags if tag != "g" and "data-row" in a]
    assert len(marked) > 200
    assert set(marked) <= names


def test_the_confusion_on_the_page_is_the_table_s(written, parse):
    text, files = written
    cells = [a for a in parse(text).of("td") if "data-cells" in a]
    assert len(cells) == 100
    for cell in cells:
        assert files["confusion"][cell["data-row"]]["cells"] == cell["data-cells"]


def test_tables_hold_every_cell_and_every_split(full_report):
    tables = build_tables(full_report)
    assert len(tables["doubtful"].rows) == 30
    assert len(tables["classes"].rows) == 20
    assert {row["split"] for row in tables["metrics"].rows} == {"eval", "out of fold"}
    assert tables["restored"].rows[0]["hue_shift"] == 1.5
    assert tables["classes"].get("eval/PMY")["f1"] == "not estimable"


def test_plain_words_for_gaps_flags_and_lists(full_report):
    tables = build_tables(full_report)
    lines = list(csv.DictReader(tables["ablation"].to_csv().splitlines()))
    assert [line["is_used"] for line in lines] == ["yes", "no"]
    assert lines[0]["gain"] == ""
    assert float(lines[1]["gain"]) == -0.01
    doubtful = next(csv.DictReader(tables["doubtful"].to_csv().splitlines()))
    assert doubtful["label_set"] == "LY ERB"


def test_a_table_that_an_older_page_left_does_not_stay(full_report, tmp_path):
    write_tables(tmp_path, build_tables(full_report))
    assert (tmp_path / "rescued.csv").exists()
    fewer = replace(full_report, cells=type(full_report.cells)())
    write_tables(tmp_path, build_tables(fewer))
    assert not (tmp_path / "rescued.csv").exists()
    assert (tmp_path / "classes.csv").exists()


def test_a_bare_report_has_its_scores_as_tables(record):
    tables = build_tables(ReportData("Bare", {"eval": record}))
    assert tables["audit"].rows == []
    assert tables["curves"].rows == []
    assert len(tables["confusion"].rows) == 100


def intervals_of(rows):
    """(name, value, low, high) of every interval in the rows of a table."""
    for row in rows:
        for column in row:
            low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
            if low not in (None, ""):
                yield f"{row['row']}: {column}", float(row[column]), float(low), float(high)


def test_no_figure_stands_beside_an_interval_that_excludes_it(full_report, written):
    files = written[1]
    found = [of for rows in files.values() for of in intervals_of(rows.values())]
    assert len(found) > 100
    for name, value, low, high in found:
        assert low < high, name
        assert low <= value <= high, name


def test_an_interval_of_an_older_run_that_lies_is_not_on_the_page(full_report):
    """Prior-weighted macro-F1 0.912 stood beside 0.501 to 0.625 on the first card of the demo."""
    record = full_report.evaluations["eval"]
    posterior = {"estimate": 0.912, "low": 0.501, "high": 0.625}
    lying = record["prior_weighted_macro_f1"] | posterior
    same = full_report.ablation[1].gain | {"estimate": 0.0, "low": 0.0, "high": 0.0}
    older = replace(
        full_report,
        evaluations={"eval": record | {"prior_weighted_macro_f1": lying}},
        ablation=[
            full_report.ablation[0],
            replace(full_report.ablation[1], gain=same, prior_weighted_macro_f1=lying),
        ],
    )
    text = page.render(older)
    assert "0.912" in text
    assert "0.501" not in text
    assert "+0.000 to" not in text
    for table in build_tables(older).values():
        for name, value, low, high in intervals_of(table.rows):
            assert low <= value <= high, name
