"""Pictures inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from buffycoat.errors import ShapeError
from buffycoat.report.thumbs import CHIP_PX, chip_uri, lossless_uri, photo_uri


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


def test_lossless_images_come_back_as_they_were():
    image = np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(_decoded(lossless_uri(image))), image)


def test_large_images_become_thumbs():
    image = np.zeros((600, 300, 3), dtype=np.uint8)
    assert _decoded(photo_uri(image)).size == (72, 144)
    assert _decoded(chip_uri(image)).size == (CHIP_PX // 2, CHIP_PX)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4), dtype=np.uint8)])
def test_other_arrays_than_images_are_refused(image):
    with pytest.raises(ShapeError, match="uint8"):
        photo_uri(image)
