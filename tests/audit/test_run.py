"""Each planted fault is found, by the check that is for it and by no other."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from buffycoat.audit import run
from buffycoat.audit.findings import Audit
from buffycoat.errors import ConfigError
from buffycoat.simulate.degrade import degrade


def _found(result: Audit) -> list[str]:
    return [one.name for one in result.of_state("found")]


def _only(result: Audit, name: str, *cells: str) -> None:
    """The check found one thing, in these cells, and no other check found anything."""
    assert _found(result) == [name]
    [finding] = next(one for one in result.results if one.name == name).looked.findings
    assert set(finding.cell_ids) == set(cells)
    assert len(finding.paths) == len(cells)


def test_a_clean_set_passes_every_check_that_can_be_made(cells) -> None:
    result = cells.audit()
    assert result.is_clean
    assert {one.state for one in result.results} == {"passed", "not checked"}
    far, patients = result.of_state("not checked")
    assert (far.name, patients.name) == ("far_copies", "shared_patients")
    assert "crops to under" in far.looked.not_checked
    assert "names neither patients nor slides" in patients.looked.not_checked
    assert result.counts["train"] == {"EO": 12, "LY": 12, "MO": 12, "SNE": 12}
    assert result.counts["eval"]["LY"] == 6
    assert "landmarks at any angle" in result.searched


def test_an_exact_copy(cells) -> None:
    source = cells.of("eval", "LY")[0]
    shutil.copy(cells.folder / source["path"], cells.folder / "9001.jpg")
    cells.rows.append({"path": "9001.jpg", "label": "LY", "split": "train"})
    result = cells.audit()
    _only(result, "exact_copies", source["path"], "9001.jpg")
    assert "byte for byte" in result.of_state("found")[0].looked.findings[0].message


def test_the_same_pixels_in_another_file(cells) -> None:
    source = cells.of("eval", "LY")[0]
    cells.image(source).save(cells.folder / "9001.png")
    cells.rows.append({"path": "9001.png", "label": "LY", "split": "train"})
    result = cells.audit()
    _only(result, "exact_copies", source["path"], "9001.png")
    assert "same pixels" in result.of_state("found")[0].looked.findings[0].message


def _reencoded(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    with Image.open(io.BytesIO(buffer.getvalue())) as again:
        again.load()
        return again


def _cropped(image: Image.Image, share: float) -> Image.Image:
    side = round(share * image.width)
    left, top = (image.width - side) // 4, (image.width - side) // 2
    cut = image.crop((left, top, left + side, top + side))
    return cut.resize(image.size, Image.Resampling.BICUBIC)


NEAR = {
    "encoded": _reencoded,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cropped": lambda image: _cropped(image, 0.85),
    "mirrored, cropped": lambda image: _cropped(
        image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), 0.9
    ),
    "turned by 30": lambda image: image.rotate(30, Image.Resampling.BICUBIC),
    "mirrored, turned by 40": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(
        40, Image.Resampling.BICUBIC, fillcolor=(235, 215, 210)
    ),
    "turned by 45, the frame grown": lambda image: image.rotate(45, expand=True),
    "cropped to 60": lambda image: _cropped(image, 0.6),
    "turned by 25, cropped": lambda image: _cropped(image.rotate(25), 0.65),
    "encoded, smaller": lambda image: image.resize((90, 90), Image.Resampling.BOX),
}


@pytest.mark.parametrize("label", ["SNE", "LY"])
@pytest.mark.parametrize("change", NEAR)
def test_a_near_duplicate(cells, change: str, label: str) -> None:
    source = cells.of("eval", label)[1]
    cells.add(NEAR[change](cells.image(source)), "train", label, "9001.jpg")
    result = cells.audit()
    [name] = _found(result)  # resampling blurs the small cells, to a degraded twin at times
    assert name == "near_duplicates" or (name == "pristine_twins" and "turned by" in change)
    _only(result, name, source["path"], "9001.jpg")
    message = result.of_state("found")[0].looked.findings[0].message
    assert all(word in message for word in change.split(", ")[:1])
    assert f"eval: {source['path']}" in message


@pytest.mark.parametrize("gain", [0.5, 1.6, 1.9, 2.2])
def test_a_copy_in_other_light(cells, gain: float) -> None:
    source = cells.of("eval", "SNE")[1]
    copy = ImageEnhance.Brightness(cells.image(source)).enhance(gain)
    cells.add(copy, "train", "SNE", "9001.jpg")
    _only(cells.audit(), "pristine_twins", source["path"], "9001.jpg")


def test_a_near_duplicate_of_an_exact_copy_is_told_of_the_split_that_holds_it(cells) -> None:
    """The copy in training stands behind its first, which lies beside the near one in eval."""
    source = cells.of("eval", "SNE")[0]
    shutil.copy(cells.folder / source["path"], cells.folder / "9001.jpg")
    cells.rows.append({"path": "9001.jpg", "label": "SNE", "split": "train"})
    cells.add(NEAR["turned"](cells.image(source)), "eval", "SNE", "9002.jpg")
    result = cells.audit("exact_copies")
    assert _found(result) == ["near_duplicates"]
    [finding] = result.of_state("found")[0].looked.findings
    assert set(finding.cell_ids) == {source["path"], "9001.jpg", "9002.jpg"}
    assert "train: 9001.jpg" in finding.message


@pytest.mark.parametrize("change", ["exact", "turned"])
def test_a_copy_within_training_is_a_finding_since_it_is_folded(cells, change: str) -> None:
    source = cells.of("train", "MO")[0]
    if change == "exact":
        shutil.copy(cells.folder / source["path"], cells.folder / "9001.jpg")
        cells.rows.append({"path": "9001.jpg", "label": "MO", "split": "train"})
    else:
        cells.add(NEAR["turned"](cells.image(source)), "train", "MO", "9001.jpg")
    result = cells.audit()
    name = "exact_copies" if change == "exact" else "near_duplicates"
    _only(result, name, source["path"], "9001.jpg")
    assert "which are cut into folds" in result.of_state("found")[0].looked.findings[0].message
    assert cells.audit(name).is_clean


@pytest.mark.parametrize("why", ["not training", "one patient", "no label"])
def test_a_copy_that_no_fold_parts_is_a_note(cells, why: str) -> None:
    source = cells.of("eval" if why == "not training" else "train", "MO")[0]
    copy = NEAR["turned"](cells.image(source))
    cells.add(copy, source["split"], "" if why == "no label" else "MO", "9001.jpg")
    if why == "one patient":
        source["patient_id"] = cells.rows[-1]["patient_id"] = "P"
    result = cells.audit()
    assert result.is_clean
    [noted] = result.of_state("noted")
    assert noted.name == "near_duplicates"
    assert noted.looked.findings[0].severity == "note"


@pytest.mark.parametrize("kind", ["noise", "defocus", "uneven_light"])
def test_a_pristine_twin_of_a_degraded_cell(cells, kind: str) -> None:
    source = cells.of("train", "EO")[2]
    image = degrade(np.asarray(cells.image(source)), 3, np.random.default_rng(0), (kind,))
    cells.add(Image.fromarray(image), "eval", "EO", "9001.jpg", severity="3")
    result = cells.audit()
    _only(result, "pristine_twins", source["path"], "9001.jpg")
    assert "(severity 3)" in result.of_state("found")[0].looked.findings[0].message


def test_a_twin_that_the_table_admits(cells) -> None:
    source, other = cells.of("train", "EO")[2], cells.of("eval", "EO")[0]
    other["original_id"] = source["path"]
    result = cells.audit()
    _only(result, "pristine_twins", source["path"], other["path"])


def test_a_twin_in_the_same_split_that_the_table_admits_is_no_news(cells) -> None:
    source = cells.of("train", "MO")[0]
    turned = NEAR["turned"](cells.image(source))
    cells.add(turned, "train", "MO", "9001.jpg", original_id=source["path"])
    result = cells.audit()
    assert not result.of_state("found", "noted")
    near = next(one for one in result.results if one.name == "near_duplicates")
    assert "Left out: 1 pair in one split" in near.looked.said


def test_contradicting_labels(cells) -> None:
    source = cells.of("train", "LY")[0]
    cells.add(NEAR["mirrored"](cells.image(source)), "train", "MO", "9001.jpg")
    result = cells.audit("near_duplicates")
    _only(result, "contradicting_labels", source["path"], "9001.jpg")
    message = result.of_state("found")[0].looked.findings[0].message
    assert "LY (train" in message
    assert "MO (train" in message


def test_a_shared_patient(cells) -> None:
    for number, row in enumerate(cells.of("train")):
        row["patient_id"] = f"T{number % 6}"
    for number, row in enumerate(cells.of("eval")):
        row["patient_id"] = f"E{number % 4}"
    assert cells.audit().is_clean
    shared = cells.of("eval")[5]
    shared["patient_id"] = "T2"
    result = cells.audit()
    members = [row["path"] for row in cells.rows if row["patient_id"] == "T2"]
    _only(result, "shared_patients", *members)
    assert result.patients == {"train": 6, "eval": 5}


def test_a_shared_slide_where_no_patient_is_named(cells) -> None:
    for number, row in enumerate(cells.rows):
        row["slide_id"] = f"{row['split']} {number % 6}"
    assert cells.audit().is_clean
    first, last = cells.of("train")[0], cells.of("eval")[-1]
    last["slide_id"] = first["slide_id"]
    result = cells.audit()
    assert _found(result) == ["shared_patients"]
    assert "slide train 0 has cells in 2 splits: 8 in train, 1 in eval" in (
        result.of_state("found")[0].looked.findings[0].message
    )


def test_a_shared_slide_of_unknown_patients_is_told_beside_a_shared_patient(cells) -> None:
    train, held_out = cells.of("train"), cells.of("eval")
    for row in (train[0], held_out[0]):
        row |= {"patient_id": "P", "slide_id": "of P"}
    for row in (train[1], held_out[1]):
        row["slide_id"] = "of nobody known"
    findings = cells.audit().of_state("found")[0].looked.findings
    assert [finding.message.partition(" has ")[0] for finding in findings] == [
        "patient P",
        "slide of nobody known",
    ]


@pytest.mark.parametrize("is_named", [False, True])
def test_ids_in_the_order_of_labels(cells, is_named: bool) -> None:
    """Also where each cell is named as its own original, as some tables have it."""
    by_label = sorted(cells.rows, key=lambda row: row["label"])
    for number, row in enumerate(by_label, start=2000):
        (cells.folder / row["path"]).rename(cells.folder / f"{number}.jpg")
        row["path"] = f"{number}.jpg"
        row |= {"original_id": row["path"]} if is_named else {}
    result = cells.audit()
    assert _found(result) == ["id_order"]
    findings = result.of_state("found")[0].looked.findings
    assert len(findings) == 2  # train and eval
    assert min(finding.number for finding in findings) > 0.8


def test_labels_predictable_from_image_size(cells) -> None:
    for row in cells.rows:
        if row["label"] == "EO":
            cells.save(cells.image(row).resize((128, 128), Image.Resampling.BICUBIC), row["path"])
    result = cells.audit()
    assert _found(result) == ["image_size"]
    [finding] = result.of_state("found")[0].looked.findings
    assert finding.number == 1.0
    assert {row["path"] for row in cells.of("train", "EO")} == set(finding.cell_ids)


@pytest.mark.parametrize("plant", ["quantisation", "EXIF"])
def test_splits_predictable_from_file_metadata(cells, plant: str) -> None:
    exif = Image.Exif()
    exif[0x0131] = "Exporter 2.1"
    options = {"quantisation": {"quality": 88}, "EXIF": {"exif": exif}}[plant]
    for row in cells.of("eval"):
        cells.save(cells.image(row), row["path"], **options)
    result = cells.audit()
    assert _found(result) == ["file_metadata"]
    [finding] = result.of_state("found")[0].looked.findings
    assert plant in finding.message
    assert finding.message.startswith("train and eval: ")
    assert len(finding.cell_ids) == 24


def test_an_unreadable_file(cells) -> None:
    row = cells.of("eval")[0]
    path = cells.folder / row["path"]
    path.write_bytes(path.read_bytes()[:900])
    result = cells.audit()
    _only(result, "unreadable_files", row["path"])
    assert "truncated" in result.of_state("found")[0].looked.findings[0].message


def test_a_class_that_training_lacks(cells) -> None:
    cells.rows = [row for row in cells.rows if (row["split"], row["label"]) != ("train", "MO")]
    result = cells.audit()
    assert _found(result) == ["class_counts"]
    assert "eval has 6 cells of MO, and training has none" in (
        result.of_state("found")[0].looked.findings[0].message
    )


def test_what_is_ignored_is_reported_and_does_not_fail(cells) -> None:
    row = cells.of("eval")[0]
    (cells.folder / row["path"]).write_bytes(b"no image")
    result = cells.audit("unreadable_files")
    assert result.is_clean
    assert [one.name for one in result.of_state("ignored")] == ["unreadable_files"]
    with pytest.raises(ConfigError, match="unreadable_files"):
        cells.audit("unreadable_file")


def test_one_split_leaves_checks_undone(cells) -> None:
    cells.rows = cells.of("train")
    result = cells.audit()
    assert {one.name for one in result.of_state("not checked")} == {
        "far_copies",
        "pristine_twins",
        "shared_patients",
    }
    assert result.is_clean


def test_every_check_says_why_and_what_to_do() -> None:
    for check in run.CHECKS.values():
        assert check.title != check.trouble
        assert check.why.endswith(".")
        assert check.remedy.endswith(".")


def test_the_table_has_the_documented_keys(cells) -> None:
    table = cells.audit().to_dict()
    assert set(table) == {
        "data", "cells_sha256", "n_cells", "is_clean", "searched", "counts", "patients", "notes",
        "checks", "statement",
    }  # fmt: skip
    assert set(table["checks"][0]) == {
        "check", "title", "trouble", "state", "why", "remedy", "said", "not_checked", "findings",
    }  # fmt: skip
