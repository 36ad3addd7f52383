"""The page: complete, well-formed, closed to the outside, and deaf to markup in the data."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from buffycoat.errors import OutputError, ShapeError
from buffycoat.evaluate.summary import evaluate
from buffycoat.report import page
from buffycoat.report.records import (
    NOT_A_MEDICAL_DEVICE,
    AblationRow,
    Doubt,
    ExampleCell,
    ReportData,
    RestoredPair,
    StageNote,
)
from buffycoat.taxonomy import PBC

VOID = {"meta", "br", "img", "link", "input", "hr"}
SECTIONS = (
    "summary metrics ablation classes confusions severity calibration doubt examples restored "
    "doubtful stages limits provenance"
).split()
EVIL = "<script>alert('x')</script><img src=x onerror=\"alert(1)\">&"
COUNTS = dict(zip(PBC.codes, (946, 600, 230, 160, 70, 40, 36, 32, 14, 10), strict=True))


class Page(HTMLParser):
    """Collects tags and words, and fails on a tag that is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()} closes another tag"

    def handle_data(self, data):
        self.words += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def record():
    rng = np.random.default_rng(2)
    targets = np.repeat(np.arange(10), 12)
    logits = rng.normal(size=(120, 10))
    logits[np.arange(120), targets] += 2.5
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    return evaluate(probs, targets, PBC, COUNTS, np.arange(120) % 5)


@pytest.fixture
def data(record):
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    score = record["balanced_macro_f1"]
    gain = {"estimate": -0.01, "low": -0.02, "high": 0.003}
    return ReportData(
        title="Ten classes",
        evaluations={"phase2_eval": record},
        summary=["A paragraph of the run."],
        ablation=[
            AblationRow("classifier alone", score),
            AblationRow("+ restoration", score, score, gain, False, "Does not win: off."),
        ],
        examples=[ExampleCell(image, "cell-1", "LY", "ERB", 0.71, ["spikiness 1.52 > 1.31"])],
        doubtful=[ExampleCell(image, "cell-2", "MO")],
        restored=[
            RestoredPair(
                image,
                255 - image,
                "cell-3",
                False,
                "nucleus grew",
                image,
                degradation=("noise", "light"),
                change={"hue_shift": 1.5},
            )
        ],
        stage_notes=[StageNote("restore", "off", "It lost out of fold.")],
        provenance={"config": {"hash": "abc123"}, "classes": ["SNE", "LY"]},
        limits=["It has never seen a blast."],
        doubt=Doubt(
            0.1,
            {"SNE": "class", "PMY": "lineage"},
            {
                "eval": [
                    {
                        "class": "SNE",
                        "n": 80,
                        "coverage": 0.875,
                        "low": 0.78,
                        "high": 0.94,
                        "mean_size": 1.25,
                    },
                    {
                        "class": "PMY",
                        "n": 0,
                        "coverage": None,
                        "low": None,
                        "high": None,
                        "mean_size": None,
                    },
                ]
            },
            {
                "eval": [
                    {
                        "share_kept": 0.9,
                        "n": 720,
                        "least_confidence": 0.4,
                        "balanced_macro_f1": 0.883,
                        "classes": 10,
                        "least_share_of_a_class": 0.61,
                    }
                ]
            },
        ),
    )


def test_page_holds_every_section_and_figure(data, record):
    parsed = Page(page.render(data))
    assert parsed.open == []
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert [a["id"] for a in parsed.of("section")] == SECTIONS
    for link in parsed.of("a"):
        assert link["href"][1:] in ids
    for words in (
        NOT_A_MEDICAL_DEVICE,
        f"{record['macro_f1']['estimate']:.3f}",
        "image-level",
        "A paragraph of the run.",
        "Does not win: off.",
        "−0.010−0.020 to +0.003",
        "in truth ERB",
        "spikiness 1.52 > 1.31",
        "Original kept",
        "(noise, light)",
        "hue shift1.50",
        "It lost out of fold.",
        "config · hash",
        "abc123",
        "SNE, LY",
        "It has never seen a blast.",
    ):
        assert words in parsed.words, words
    assert len(parsed.of("svg")) == 5


def test_page_needs_nothing_from_outside(data):
    text = page.render(data)
    parsed = Page(text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    sources = [a["src"] for a in parsed.of("img")]
    assert len(sources) == 5
    assert all(source.startswith("data:image/") for source in sources)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    policy = next(a for a in parsed.of("meta") if a.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")


def test_page_can_be_read_by_ear_and_by_keyboard(data):
    parsed = Page(page.render(data))
    assert all(a.get("alt") for a in parsed.of("img"))
    assert len(parsed.of("caption")) == len(parsed.of("table"))
    assert all(a.get("scope") for a in parsed.of("th"))
    ids = {a["id"] for _, a in parsed.tags if "id" in a}
    for svg in parsed.of("svg"):
        assert svg["role"] == "img"
        assert set(svg["aria-labelledby"].split()) <= ids
    assert parsed.of("html")[0]["lang"] == "en"
    assert parsed.of("a")[0] == {"class": "skip", "href": "#main"}
    regions = [a for a in parsed.of("div") if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)


def test_markup_in_the_data_stays_words(data, record):
    evil_class = record["per_class"][0] | {"code": EVIL, "name": EVIL}
    evil_record = record | {
        "codes": [EVIL, *record["codes"][1:]],
        "per_class": [evil_class, *record["per_class"][1:]],
        "absent": [EVIL],
        "by_severity": [record["by_severity"][0] | {"severity": EVIL}],
    }
    cell = replace(data.examples[0], caption=EVIL, predicted=EVIL, true=EVIL, evidence=[EVIL])
    parsed = Page(
        page.render(
            ReportData(
                title=EVIL,
                evaluations={EVIL: evil_record},
                summary=[EVIL],
                ablation=[replace(data.ablation[1], stage=EVIL, note=EVIL)],
                examples=[cell],
                doubtful=[cell],
                restored=[
                    replace(
                        data.restored[0],
                        caption=EVIL,
                        reason=EVIL,
                        degradation=[EVIL],
                        change={EVIL: 1.0},
                    )
                ],
                stage_notes=[StageNote(EVIL, "off", EVIL)],
                provenance={EVIL: {EVIL: [EVIL]}},
                limits=[EVIL],
            )
        )
    )
    assert parsed.open == []
    assert parsed.of("script") == []
    assert all("onerror" not in attributes for _, attributes in parsed.tags)
    assert all(a["src"].startswith("data:image/") for a in parsed.of("img"))
    assert parsed.words.count(EVIL) > 20


def test_a_bare_report_says_what_it_lacks():
    targets = np.array([0, 0, 1])
    record = evaluate(np.array([0, 1, 0]), targets, PBC)
    parsed = Page(page.render(ReportData("Bare", {"test": record})))
    assert parsed.open == []
    assert [a["id"] for a in parsed.of("section")] == SECTIONS
    for words in (
        "No ablation was made in this run.",
        "The severity of degradation is not known for these cells.",
        "These predictions came without probabilities.",
        "No cell was restored.",
        "No cell was marked as doubtful.",
        "not estimable",
        "Not in this split, so not scored: MO,",
    ):
        assert words in parsed.words, words


def test_a_report_without_a_split_is_refused():
    with pytest.raises(ShapeError, match="at least one split"):
        page.render(ReportData("Nothing", {}))


def test_lossless_images_come_back_as_they_were():
    image = np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    encoded = page.lossless_uri(image).partition("base64,")[2]
    back = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    np.testing.assert_array_equal(back, image)


def test_large_images_become_thumbs():
    image = np.zeros((600, 300, 3), dtype=np.uint8)
    encoded = page.photo_uri(image).partition("base64,")[2]
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (72, 144)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4), dtype=np.uint8)])
def test_other_arrays_than_images_are_refused(image):
    with pytest.raises(ShapeError, match="uint8"):
        page.photo_uri(image)


def test_report_is_written_whole_or_not_at_all(data, tmp_path):
    path = page.write_report(tmp_path / "new" / "report.html", data)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert path.read_text("utf-8") == page.render(data)
    blocked = tmp_path / "file"
    blocked.write_text("here")
    with pytest.raises(OutputError):
        page.write_report(blocked / "report.html", data)
