"""Files that are cut, empty or of another format than their name says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from buffycoat import images
from buffycoat.errors import ImageError, MissingExtraError
from buffycoat.fields.slides import czi, opening
from buffycoat.fields.slides.opening import format_name, open_slide
from buffycoat.images import write_png


def _write_czi(path: Path, picture: np.ndarray) -> None:
    library = pytest.importorskip("pylibCZIrw.czi")
    with library.create_czi(str(path)) as file:
        file.write(picture)


def _write_tiff(path: Path, picture: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as file:
        for step in (1, 2):
            file.write(
                picture[::step, ::step], tile=(64, 64), photometric="rgb", metadata=None,
                compression="deflate", subfiletype=step - 1,
            )  # fmt: skip


WRITERS = {"a.czi": _write_czi, "a.tif": _write_tiff, "a.ome.tif": _write_tiff}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
def test_a_file_that_ends_early_is_an_error_with_its_name(
    picture: np.ndarray, tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / name
    WRITERS[name](path, picture)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ImageError, match=rf"{name}.*Copy it again"):
        _read_whole(path)


def _read_whole(path: Path) -> np.ndarray:
    """As `find` does: what is no slide is left to `images`."""
    slide = open_slide([path], path.name)
    if slide is None:
        return images.read(path)
    with slide:
        return slide.read(0, 0, slide.width, slide.height)


@pytest.mark.parametrize("name", ["a.czi", "a.svs", "a.dcm", "a.tif"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ImageError, match=rf"{name}: the file is empty"):
        open_slide([tmp_path / name], name)
    with pytest.raises(ImageError, match="cannot be read"):
        open_slide([tmp_path / "missing.czi"], name)


@pytest.mark.parametrize("name", ["a.czi", "a.svs"])
def test_another_format_of_that_name_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("from Tuesday")
    with pytest.raises(ImageError, match=rf"{name}: cut short or damaged"):
        open_slide([tmp_path / name], name)


def test_content_counts_for_more_than_the_name(picture: np.ndarray, tmp_path: Path) -> None:
    _write_czi(tmp_path / "a.czi", picture)
    (tmp_path / "a.czi").rename(tmp_path / "a.jpg")
    with open_slide([tmp_path / "a.jpg"], "a") or pytest.fail("no slide") as slide:
        assert isinstance(slide, czi.CziSlide)
    write_png(tmp_path / "b.png", picture)
    assert open_slide([tmp_path / "b.png"], "b") is None
    assert format_name(tmp_path / "b.png") == "PNG"


def test_a_missing_library_is_named_with_the_extra(
    picture: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_czi(tmp_path / "a.czi", picture)

    def missing(module: str, extra: str) -> None:
        raise MissingExtraError(f"{module}: pip install 'buffycoat[{extra}]'")

    monkeypatch.setattr(czi, "require", missing)
    with pytest.raises(ImageError, match=r"a\.czi: Zeiss CZI; .*buffycoat\[fields\]"):
        opening.open_slide([tmp_path / "a.czi"], "a.czi")
