#!/usr/bin/env bash
# wsidicom: level 1 is not the second level of the slide but half its size, made up if the file has no such level.
#
# Guess before running: `read_region(location, level, size)` has the arguments of OpenSlide's, so on a slide of two
# levels, 1024 and 256 pixels wide, level 1 is the second, a quarter as wide, and level 2 is an error; and `location`
# counts pixels of the finest level in both.
# What it does: the number is an exponent of two. Level 1 is shrunk from the finest to 512 pixels, level 2 is the second
# of the file, although the slide has the length 2; and `location` counts pixels of the level asked for. Code written
# for OpenSlide reads another place at twice the magnification, and cells have four times their area, without an error.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check wsidicom==0.36.1 pydicom==3.0.2 openslide-python==1.4.7 \
  openslide-bin==4.0.1.2 numpy==2.4.6 pillow==13.0.0
cd "$box" && "$box/venv/bin/python" - <<'E'
import io
import logging
from importlib.metadata import version

import numpy as np
import openslide
from PIL import Image, ImageDraw
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, generate_uid
from wsidicom import WsiDicom

logging.disable(logging.CRITICAL)
TILE, SLIDE = 256, "1.2.840.10008.5.1.4.1.1.77.1.6"
ONE_SERIES = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
PLAIN = dict(
    SOPClassUID=SLIDE, Modality="SM", PatientID="x", PatientName="", ContainerIdentifier="x", SamplesPerPixel=3,
    PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0, BitsAllocated=8, BitsStored=8, HighBit=7,
    PixelRepresentation=0, Rows=TILE, Columns=TILE, TotalPixelMatrixFocalPlanes=1, NumberOfOpticalPaths=1,
    ImagedVolumeWidth=0.256, ImagedVolumeHeight=0.256, ImagedVolumeDepth=0.001, DimensionOrganizationType="TILED_FULL",
    VolumetricProperties="VOLUME", ExtendedDepthOfField="NO", FocusMethod="AUTO", SpecimenLabelInImage="NO",
    BurnedInAnnotation="NO", LossyImageCompression="01", ImageOrientationSlide=[0, -1, 0, -1, 0, 0],
    AcquisitionDateTime="20260101",
)


def with_values(values):
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def write_level(path, side, number):
    """A nucleus, a tenth of the slide in radius, at a quarter of its width and height."""
    picture = Image.new("RGB", (side, side), "white")
    corners = [side * share for share in (0.15, 0.15, 0.35, 0.35)]
    ImageDraw.Draw(picture).ellipse(corners, fill=(90, 20, 140))
    tiles = []
    for top in range(0, side, TILE):
        for left in range(0, side, TILE):
            packed = io.BytesIO()
            picture.crop((left, top, left + TILE, top + TILE)).save(packed, "JPEG", quality=95)
            tiles.append(packed.getvalue())
    spacing = with_values({"PixelSpacing": [0.256 / side] * 2, "SliceThickness": 0.001})
    instance = with_values(PLAIN | ONE_SERIES | {
        "SOPInstanceUID": generate_uid(), "InstanceNumber": number, "NumberOfFrames": len(tiles),
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"] if number == 1 else ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"],
        "TotalPixelMatrixColumns": side, "TotalPixelMatrixRows": side, "OpticalPathSequence": [with_values({"OpticalPathIdentifier": "1"})],
        "TotalPixelMatrixOriginSequence": [with_values({f"{axis}OffsetInSlideCoordinateSystem": 0.0 for axis in "XY"})],
        "SharedFunctionalGroupsSequence": [with_values({"PixelMeasuresSequence": [spacing]})],
        "PixelData": encapsulate(tiles),
    })
    instance["PixelData"].VR = "OB"
    instance.ensure_file_meta()
    instance.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    instance.save_as(path, enforce_file_format=True)


def dark(part):
    return int((np.asarray(part.convert("RGB"))[..., 1] < 128).sum())


write_level("fine.dcm", 1024, 1)
write_level("coarse.dcm", 256, 2)
by_openslide = openslide.OpenSlide("fine.dcm")
with WsiDicom.open(["fine.dcm", "coarse.dcm"]) as by_wsidicom:
    numbers = [level.level for level in by_wsidicom.pyramids[0]]
    cell, part, last = (
        [dark(slide.read_region(place, level, size)) for slide in (by_openslide, by_wsidicom)]
        for place, level, size in (((0, 0), 1, (256, 256)), ((256, 256), 1, (64, 64)), ((0, 0), 0, (512, 512)))
    )
    second = dark(by_wsidicom.read_region((0, 0), 2, (256, 256)))
print(f"OpenSlide {openslide.__library_version__} and wsidicom {version('wsidicom')}, dark pixels: level 1 from (0, 0) "
      f"{cell}, from (256, 256) {part}; level 0 {last}; wsidicom's level 2 {second}, its {len(numbers)} levels have the numbers {numbers}")
assert by_openslide.level_downsamples == (1.0, 4.0) and numbers == [0, 2], "changed"
assert 3.8 < cell[1] / cell[0] < 4.2 and abs(second / cell[0] - 1) < 0.05, "changed"
assert part[0] > 400 and part[1] == 0 and abs(last[1] / last[0] - 1) < 0.01, "changed"
E
