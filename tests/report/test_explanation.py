from __future__ import annotations

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from buffycoat.refine.features import FEATURES, plain
from buffycoat.report import svg
from buffycoat.report.explained import (
    SHOWN_FEATURES,
    Explanation,
    FeatureRow,
    Likeness,
    StepRow,
    chosen_features,
)
from buffycoat.report.explanation import (
    NUCLEUS_LINE,
    build_explanation,
    draw_explanation,
    outlined,
)

NAN = float("nan")


def _row(name: str, *percentiles: float, value: float = 1.0) -> FeatureRow:
    return FeatureRow(name, "1", value, percentiles)


@pytest.fixture
def data() -> Explanation:
    image = np.full((60, 60, 3), 200, dtype=np.uint8)
    cell, nucleus = np.zeros((2, 60, 60), dtype=bool)
    cell[10:50, 10:50], nucleus[20:40, 20:40] = True, True
    return Explanation(
        name="cell-1.png",
        verdict="BNE, band neutrophil, with probability 0.62; SNE cannot be ruled out at 90 %.",
        image=image,
        cell_mask=cell,
        nucleus_mask=nucleus,
        leading=("BNE", "SNE", "MMY"),
        steps=(StepRow("classifier", (0.62, 0.3, 0.05)),),
        features=(_row("spikiness", 40, 60, NAN), _row("nc_ratio", NAN, NAN, NAN, value=NAN)),
        like=(Likeness("a/b.png", "BNE", 0.07, image), Likeness("b.png", "SNE", 0.09)),
        reasons=("BNE 0.62, then SNE 0.30",),
    )


def test_features_that_tell_the_two_leading_classes_apart_come_first():
    rows = [_row("a", 50, 55, 99), _row("b", 10, 90), _row("c", NAN, 20), _row("d", 30, 10)]
    rows.append(_row("e", 1, 99, value=NAN))
    assert [row.name for row in chosen_features(rows)] == ["b", "d", "a", "c"]
    assert len(chosen_features(rows * 9)) == SHOWN_FEATURES
    assert _row("f", 12.0).spread == -1  # a taxonomy's only known class


def _boxes(data):
    """Words of the figure -> where they stand, in px from the left: (start, end)."""
    with matplotlib.rc_context(svg.STYLE):
        figure = build_explanation(data)
        figure.set_dpi(svg.PX)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return figure, {
            text.get_text(): text.get_window_extent(canvas.get_renderer()).intervalx
            for text in (*figure.texts, *(t for axes in figure.axes for t in axes.texts))
        }


def test_no_words_run_into_others_or_off_the_figure(data):
    for start in range(0, len(FEATURES), SHOWN_FEATURES):
        rows = tuple(
            FeatureRow(of.name, of.unit, 69120.0 if "px" in of.unit else 0.0246, (99.0, 1.0, 50.0))
            for of in FEATURES[start : start + SHOWN_FEATURES]
        )
        words = " ".join(["neutrophil"] * 40)
        figure, boxes = _boxes(replace(data, features=rows, reasons=(words,), verdict=words))
        for row in rows:
            assert boxes[row.words][1] < boxes[row.measured][0], row.name
            assert boxes[row.measured][1] < boxes[row.measured][0] + 180, row.name
        width = figure.get_size_inches()[0] * svg.PX
        assert max(end for _, end in boxes.values()) <= width


def test_the_nearest_cells_are_pictures_with_label_and_distance(data):
    figure, boxes = _boxes(data)
    assert {"BNE  0.07", "SNE  0.09", "no picture", "a/b.png"} <= set(boxes)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert any(np.array_equal(picture, data.image) for picture in shown[2:])


@pytest.mark.parametrize(
    ("value", "text"),
    [(6912.3, "6,912"), (691.2, "691"), (0.0246, "0.0246"), (1.0, "1"), (0.0, "0"),
     (-1.23, "-1.23"), (1e-5, "0.00001"), (NAN, "nan"), (123456.7, "123,457"), (999.9, "1,000")],
)  # fmt: skip
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert plain(value) == text


def test_the_contours_lie_where_the_masks_end(data):
    drawn = outlined(data.image, data.cell_mask, data.nucleus_mask)
    scale = drawn.shape[0] // 60
    edge, inside = drawn[20 * scale + 1, 30 * scale], drawn[30 * scale, 30 * scale]
    assert tuple(edge) == NUCLEUS_LINE
    assert tuple(inside) == (200, 200, 200)
    assert tuple(drawn[10 * scale + 1, 30 * scale]) == (20, 20, 20)


def test_the_figure_grows_with_what_there_is_to_say(data):
    plain = draw_explanation(data)
    assert plain.dtype == np.uint8
    assert plain.shape[2] == 3
    many = draw_explanation(replace(data, reasons=tuple(f"reason {i}" for i in range(60))))
    assert many.shape[0] > plain.shape[0]
    assert many.shape[1] == plain.shape[1]


def test_nothing_measured_and_nothing_alike_is_drawn_too(data):
    bare = replace(
        data,
        cell_mask=np.zeros((60, 60), bool),
        nucleus_mask=np.zeros((60, 60), bool),
        features=(),
        like=(),
        reasons=(),
        leading=("BNE", "SNE"),
        steps=(StepRow("classifier", (0.6, 0.4)),),
    )
    assert draw_explanation(bare).std() > 0


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.0, "lobes", "1 lobe"),
        (2.0, "lobes", "2 lobes"),
        (1.0, "1", "1"),
        (0.5, "1", "0.5"),
        (6912.0, "px²", "6,912 px²"),
        (69.12, "µm²", "69.1 µm²"),
    ],
)
def test_a_value_has_its_unit(value: float, unit: str, text: str) -> None:
    assert FeatureRow("any", unit, value, ()).measured == text
