"""Landmarks agree on how a copy was turned, cropped and mirrored; strangers share few."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from buffycoat.audit import landmarks, warp, words
from buffycoat.audit.landmarks import Landmarks, match, mirrored
from buffycoat.audit.perceptual import Picture
from buffycoat.audit.turned import align_landmarks
from buffycoat.simulate.render import render_cell


def _cell(number: int, px: int = 144) -> Image.Image:
    code = ("SNE", "LY", "MO", "EO")[number % 4]
    return Image.fromarray(render_cell(code, np.random.default_rng([11, number]), px).image)


def _of(image: Image.Image) -> Landmarks:
    return Landmarks.of(np.asarray(image))


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 6, 30, 45, 100, 175])
def test_the_turn_is_measured(degrees: int, is_mirrored: bool) -> None:
    image = _cell(1)
    copy = ImageOps.mirror(image) if is_mirrored else image
    copy = copy.rotate(degrees, Image.Resampling.BICUBIC)
    found = match(_of(image), _of(copy), is_mirrored)
    assert found is not None
    assert found.count > 20
    told_mirrored, turn = warp.turn_of(found.warp)
    assert told_mirrored == is_mirrored
    period = 90 if is_mirrored else 360  # the axis of a mirror cannot be told
    apart = (abs(turn) - degrees + period / 2) % period - period / 2
    mirrored_apart = (-abs(turn) - degrees + period / 2) % period - period / 2
    assert min(abs(apart), abs(mirrored_apart)) < 1
    assert warp.scale_of(found.warp) == pytest.approx(1, abs=0.01)
    assert warp.centre_shift(found.warp) < 0.01


def test_a_frame_that_is_not_square_can_be_turned() -> None:
    image = _cell(2).crop((0, 20, 144, 128))
    copy = image.rotate(35, Image.Resampling.BICUBIC, expand=True)
    first, second = _of(image), _of(copy)
    assert first.sides == (1.0, 0.75)
    pictures = Picture.of(np.asarray(image)), Picture.of(np.asarray(copy))
    found = align_landmarks(*pictures, (first, second))
    assert found is not None
    assert found.is_same


def test_strangers_share_few() -> None:
    cells = [_of(_cell(number)) for number in range(12)]
    counts = [
        found.count if (found := match(a, b, is_mirrored)) else 0
        for i, a in enumerate(cells)
        for b in cells[:i]
        for is_mirrored in (False, True)
    ]
    assert max(counts) < 9
    assert np.mean(np.array(counts) >= 5) < 0.1


def test_a_mirrored_description_is_that_of_the_mirrored_picture() -> None:
    image = _cell(3)
    first, second = _of(image), _of(ImageOps.mirror(image))
    there = second.descriptors.astype(float) @ mirrored(first.descriptors).T.astype(float)
    plain = second.descriptors.astype(float) @ first.descriptors.T.astype(float)
    unit = landmarks.DESCRIPTOR_SCALE**2
    assert np.median(there.max(axis=1)) / unit > 0.98
    assert np.median(plain.max(axis=1)) / unit < 0.93


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (300, 2), (40, 500)])
def test_a_blank_or_odd_picture_has_no_landmarks_and_does_no_harm(size: tuple[int, int]) -> None:
    blank = _of(Image.new("RGB", size, (255, 255, 255)))
    assert len(blank.points) == len(blank.descriptors) == 0
    assert match(blank, _of(_cell(0)), False) is None
    assert words.find_alike([blank, blank]) == []


def test_words_lead_from_every_copy_to_its_photograph() -> None:
    images = [_cell(number) for number in range(16)]
    copies = [image.rotate(20 + 7 * i) for i, image in enumerate(images[:8])]
    flipped = [ImageOps.mirror(image).rotate(33) for image in images[8:]]
    found = words.find_alike([_of(image) for image in (*images, *copies, *flipped)])
    for number in range(16):
        assert (number, 16 + number) in found
    assert all(a < b for a, b in found)


def test_fewer_pictures_than_are_asked_for() -> None:
    pair = [_of(_cell(0)), _of(_cell(0).rotate(50))]
    assert words.find_alike(pair) == [(0, 1)]
    assert words.find_alike(pair[:1]) == []
    assert words.find_alike([]) == []
