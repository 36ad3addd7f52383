#!/usr/bin/env bash
# wsidicom: a slide of which one file breaks off in its header opens without an error, as its next coarser level.
#
# Guess before running: opening the files of a series, of which that of the finest level (448 x 320 pixels) breaks off
# after 600 bytes, raises an error, as it does where a file breaks off in its pixels and these are read.
# What it does: the exception of that file is logged and the file passed over; the slide then has the size and the pixel
# size of the next level, so that cells are looked for, and measured, at half the resolution.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check wsidicom==0.36.1 pydicom==3.0.2 numpy==2.4.6 pillow==13.0.0
cd "$box" && "$box/venv/bin/python" - <<'E'
import io, logging
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, generate_uid
from wsidicom import WsiDicom

logging.disable(logging.CRITICAL)
SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def item(**values):
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def write(path, width, height, um):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = JPEGBaseline8Bit, SLIDE
    meta.MediaStorageSOPInstanceUID = generate_uid()
    tile = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tile, "JPEG")
    count = -(-width // 64) * -(-height // 64)
    found = item(
        SOPClassUID=SLIDE, SOPInstanceUID=meta.MediaStorageSOPInstanceUID, Modality="SM", StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.5", FrameOfReferenceUID="1.2.4", ContainerIdentifier="1", PatientID="1", PatientName="",
        ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], InstanceNumber=1, SamplesPerPixel=3, Rows=64, Columns=64,
        PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0, BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelRepresentation=0, NumberOfFrames=count, TotalPixelMatrixColumns=width, TotalPixelMatrixRows=height,
        ImagedVolumeWidth=width * um / 1000, ImagedVolumeHeight=height * um / 1000, ImagedVolumeDepth=0.001,
        DimensionOrganizationType="TILED_FULL", VolumetricProperties="VOLUME", TotalPixelMatrixFocalPlanes=1,
        NumberOfOpticalPaths=1, ExtendedDepthOfField="NO", FocusMethod="AUTO", SpecimenLabelInImage="NO",
        BurnedInAnnotation="NO", LossyImageCompression="01", ImageOrientationSlide=[0, -1, 0, -1, 0, 0],
        AcquisitionDateTime="20260101",
        SharedFunctionalGroupsSequence=[item(PixelMeasuresSequence=[item(
            PixelSpacing=[um / 1000, um / 1000], SliceThickness=0.001, SpacingBetweenSlices=0.001)])],
        OpticalPathSequence=[item(OpticalPathIdentifier="0")],
        TotalPixelMatrixOriginSequence=[item(XOffsetInSlideCoordinateSystem=0.0, YOffsetInSlideCoordinateSystem=0.0)],
        PixelData=encapsulate([tile.getvalue()] * count),
    )
    found["PixelData"].VR = "OB"
    found.file_meta = meta
    found.save_as(path, enforce_file_format=True)


write("fine.dcm", 448, 320, 0.25)
write("coarse.dcm", 224, 160, 0.5)
with WsiDicom.open(["fine.dcm", "coarse.dcm"]) as slide:
    whole = (slide.size.width, round(slide.mpp.width, 3))
data = Path("fine.dcm").read_bytes()
Path("fine.dcm").write_bytes(data[:600])
with WsiDicom.open(["fine.dcm", "coarse.dcm"]) as slide:
    cut = (slide.size.width, round(slide.mpp.width, 3))
print(f"whole: {whole[0]} px wide, {whole[1]} um a pixel; finest level's file cut: {cut[0]} px, {cut[1]} um, no error")
assert (whole, cut) == ((448, 0.25), (224, 0.5)), "changed"
E
