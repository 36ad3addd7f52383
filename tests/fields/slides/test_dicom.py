"""DICOM whole-slide images, written tag by tag with pydicom and Pillow, read by wsidicom."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from buffycoat.errors import ImageError
from buffycoat.fields.slides.dicom import DicomSlide, group_by_series
from buffycoat.fields.slides.opening import open_slide

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("wsidicom")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import JPEGBaseline8Bit, generate_uid  # noqa: E402

TILE = 64
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def _tiles(picture: np.ndarray) -> list[bytes]:
    """JPEG of each tile, row by row."""
    tiles = []
    for top in range(0, picture.shape[0], TILE):
        for left in range(0, picture.shape[1], TILE):
            file = io.BytesIO()
            tile = Image.fromarray(picture[top : top + TILE, left : left + TILE])
            tile.save(file, "JPEG", quality=95, subsampling=0)
            tiles.append(file.getvalue())
    return tiles


def _item(**values: object) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def _write(path: Path, picture: np.ndarray, um: float, series: str, kind: str = "VOLUME") -> None:
    """A level of a slide, `um` micrometres a pixel."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    meta.MediaStorageSOPClassUID = WHOLE_SLIDE
    meta.MediaStorageSOPInstanceUID = generate_uid()
    tiles = _tiles(picture)
    height, width = picture.shape[:2]
    found = _item(
        SOPClassUID=WHOLE_SLIDE, SOPInstanceUID=meta.MediaStorageSOPInstanceUID, Modality="SM",
        StudyInstanceUID="1.2.3", SeriesInstanceUID=series, FrameOfReferenceUID="1.2.4",
        ContainerIdentifier="1", PatientID="1", PatientName="", ImageType=["ORIGINAL", "PRIMARY",
        kind, "NONE" if kind == "VOLUME" else "RESAMPLED"], InstanceNumber=1, SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0, BitsAllocated=8,
        BitsStored=8, HighBit=7, PixelRepresentation=0, Rows=TILE, Columns=TILE,
        NumberOfFrames=len(tiles), TotalPixelMatrixColumns=width, TotalPixelMatrixRows=height,
        ImagedVolumeWidth=width * um / 1000, ImagedVolumeHeight=height * um / 1000,
        ImagedVolumeDepth=0.001, DimensionOrganizationType="TILED_FULL",
        VolumetricProperties="VOLUME",
        TotalPixelMatrixFocalPlanes=1, NumberOfOpticalPaths=1, ExtendedDepthOfField="NO",
        FocusMethod="AUTO", SpecimenLabelInImage="NO", BurnedInAnnotation="NO",
        LossyImageCompression="01", ImageOrientationSlide=[0, -1, 0, -1, 0, 0],
        AcquisitionDateTime="20260101", SharedFunctionalGroupsSequence=[
            _item(PixelMeasuresSequence=[_item(
                PixelSpacing=[um / 1000, um / 1000], SliceThickness=0.001,
                SpacingBetweenSlices=0.001)])],
        OpticalPathSequence=[_item(OpticalPathIdentifier="0")],
        TotalPixelMatrixOriginSequence=[
            _item(XOffsetInSlideCoordinateSystem=0.0, YOffsetInSlideCoordinateSystem=0.0)],
        PixelData=encapsulate(tiles),
    )  # fmt: skip
    found["PixelData"].VR = "OB"
    found.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    found.save_as(path, enforce_file_format=True)


def test_the_instances_of_a_series_are_one_slide_with_its_colours(
    picture: np.ndarray, tmp_path: Path
) -> None:
    _write(tmp_path / "0.dcm", picture, 0.25, "1.2.5")
    _write(tmp_path / "1.dcm", np.ascontiguousarray(picture[::2, ::2]), 0.5, "1.2.5")
    (group,) = group_by_series(sorted(tmp_path.iterdir()))
    slide = open_slide(group, "a")
    assert isinstance(slide, DicomSlide)
    with slide:
        assert (slide.width, slide.height) == (448, 320)
        assert slide.um_per_px == pytest.approx(0.25)
        whole = slide.read(0, 0, 448, 320)
        assert np.abs(whole.astype(int) - picture).max() <= 6
        assert np.array_equal(slide.read(50, 40, 130, 140), whole[40:180, 50:180])
        assert (slide.read(440, 310, 20, 20)[10:] == 255).all()
        assert slide.overview(224).shape == (160, 224, 3)


def test_two_series_are_two_slides(picture: np.ndarray, tmp_path: Path) -> None:
    for name, series in (("a", "1.2.5"), ("b", "1.2.6"), ("c", "1.2.5")):
        _write(tmp_path / f"{name}.dcm", picture, 0.25, series)
    (tmp_path / "text.dcm").write_text("from Tuesday")
    groups = group_by_series(sorted(tmp_path.iterdir()))
    assert [[path.name for path in group] for group in groups] == [
        ["a.dcm", "c.dcm"], ["b.dcm"], ["text.dcm"],
    ]  # fmt: skip


@pytest.mark.parametrize("kept", [200, 600, 20_000])
def test_a_damaged_finest_level_is_not_replaced_by_a_coarser_one(
    picture: np.ndarray, tmp_path: Path, kept: int
) -> None:
    fine, coarse = tmp_path / "0.dcm", tmp_path / "1.dcm"
    _write(fine, picture, 0.25, "1.2.5")
    _write(coarse, np.ascontiguousarray(picture[::2, ::2]), 0.5, "1.2.5")
    fine.write_bytes(fine.read_bytes()[:kept])
    with pytest.raises(ImageError, match=r"a: cut short or damaged"):  # noqa: SIM117
        with DicomSlide([fine, coarse], "a") as slide:
            slide.read(0, 0, slide.width, slide.height)


@pytest.mark.parametrize(
    ("content", "words"),
    [("cut", "cut short"), ("text", "Copy it again"), ("photograph", "no whole-slide image")],
)
def test_what_is_no_whole_slide_is_refused(
    picture: np.ndarray, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "a.dcm"
    _write(path, picture, 0.25, "1.2.5")
    if content == "text":
        path.write_text("from Tuesday")
    elif content == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        other = pydicom.dcmread(path)
        other.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
        other.file_meta.MediaStorageSOPClassUID = other.SOPClassUID
        other.save_as(path)
    with pytest.raises(ImageError, match=rf"a\.dcm: .*{words}"):  # noqa: SIM117
        with DicomSlide([path], "a.dcm") as slide:
            slide.read(0, 0, slide.width, slide.height)
