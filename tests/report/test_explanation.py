from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageFont

from buffycoat.refine.features import FEATURES
from buffycoat.report.explanation import (
    NAME_PX,
    NUCLEUS_LINE,
    SHOWN_FEATURES,
    VALUE_PX,
    Explanation,
    FeatureRow,
    Likeness,
    StepRow,
    chosen_features,
    draw_explanation,
    outlined,
)
from buffycoat.report.sheet import FONT_PX, fit_line

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
        like=(Likeness("BNE", 0.93), Likeness("SNE", 0.91)),
        reasons=("BNE 0.62, then SNE 0.30",),
    )


def test_features_that_tell_the_two_leading_classes_apart_come_first():
    rows = [_row("a", 50, 55, 99), _row("b", 10, 90), _row("c", NAN, 20), _row("d", 30, 10)]
    rows.append(_row("e", 1, 99, value=NAN))
    assert [row.name for row in chosen_features(rows)] == ["b", "d", "a", "c"]
    assert len(chosen_features(rows * 9)) == SHOWN_FEATURES
    assert _row("f", 12.0).spread == -1  # a taxonomy's only known class


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_name_and_value_of_every_feature_fit_in_their_columns(feature):
    font = ImageFont.load_default(FONT_PX)
    row = FeatureRow(feature.name, feature.unit, 0.0246, (50.0,))
    assert row.measured.endswith("0.0246" if feature.unit == "1" else feature.unit)
    assert fit_line(row.measured, font, VALUE_PX - 8) == row.measured
    name = row.name.replace("_", " ")
    assert fit_line(name, font, NAME_PX - 6) == name


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
    [(1.0, "lobes", "1 lobe"), (2.0, "lobes", "2 lobes"), (1.0, "1", "1"), (0.5, "1", "0.5")],
)
def test_a_value_has_its_unit(value: float, unit: str, text: str) -> None:
    assert FeatureRow("any", unit, value, ()).measured == text
