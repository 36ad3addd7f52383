"""All checks on one data set, each with why it matters and what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import pandas as pd

from buffycoat.audit import (
    class_counts,
    contradicting_labels,
    duplicates,
    far_copies,
    file_metadata,
    id_order,
    image_size,
    pristine_twins,
    shared_patients,
    unreadable_files,
)
from buffycoat.audit.findings import Audit, Looked, Result
from buffycoat.audit.pairs import Pair, find_pairs
from buffycoat.audit.scan import Scan
from buffycoat.cells import Manifest
from buffycoat.optional import choose
from buffycoat.sources.fingerprint import fingerprint

SEARCHED = (
    "Candidates came from landmarks at any angle and scale, from perceptual hashes of frame and "
    "cell in all eight orientations{also}, and were confirmed by aligning the pictures."
)
WITH_EMBEDDINGS = ", and from embeddings"


@dataclass(frozen=True)
class Material:
    """What checks look at.

    Attributes:
        frame: Of the manifest.
        scan: What is known of its files.
        pairs: Cells with one photograph.
        searched: How these were searched for.
    """

    frame: pd.DataFrame
    scan: Scan
    pairs: list[Pair]
    searched: str


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        title: What holds if the check passes.
        trouble: What is the matter if it does not.
        why: Why a finding matters for scores.
        remedy: What to do about one.
        look: What does it.
    """

    title: str
    trouble: str
    why: str
    remedy: str
    look: Callable[[Material], Looked]


CHECKS: dict[str, Check] = {
    unreadable_files.NAME: Check(
        "Every file can be read",
        "Files that cannot be read",
        "A cell that cannot be read is neither learned from nor scored, and two people who skip "
        "different files report different sets.",
        "Copy the files again from their source, or remove them from the data and say so.",
        lambda m: unreadable_files.check(m.frame, m.scan.reasons),
    ),
    duplicates.EXACT: Check(
        "No exact copy in two splits or folds",
        "Exact copies in two splits or folds",
        "A model that has learned a cell by heart is right on its copy, which says nothing of new "
        "cells: the score is too high. Within training cells it makes out-of-fold scores too high.",
        "Keep one copy. If it may be in training, remove it from the held-out split, and report "
        "scores again. `buffycoat train` keeps copies among its training cells in one fold.",
        lambda m: duplicates.check_exact(m.frame, m.pairs),
    ),
    duplicates.NEAR: Check(
        "No near duplicate in two splits or folds",
        "Near duplicates in two splits or folds",
        "A turned, cropped or re-encoded copy is as good as the original to a model that learns "
        "from augmented images: the score is too high. Within training cells it makes out-of-fold "
        "scores too high.",
        "Split before you augment. Put all copies of a photograph into one split and one fold: "
        "`buffycoat train` does so with those that this check finds without --embedding; other "
        "tools need one patient_id or group for them.",
        lambda m: duplicates.check_near(m.frame, m.pairs, m.searched),
    ),
    far_copies.NAME: Check(
        "Copies changed further are absent",
        "Copies changed further",
        "A copy that the search cannot recognise makes a score as untrue as one that it finds.",
        "Ask how the images were made and split: only whoever augmented them knows for sure.",
        lambda m: far_copies.check(),
    ),
    pristine_twins.NAME: Check(
        "No pristine or degraded twin of a held-out cell in training",
        "Twins of held-out cells in training",
        "Whoever trains on a cell's clean twin has seen the answer, and scores on degraded cells "
        "no longer show how a model bears degradation.",
        "Remove the twins from training.",
        lambda m: pristine_twins.check(m.frame, m.pairs),
    ),
    contradicting_labels.NAME: Check(
        "One photograph has one label",
        "Photographs with two labels",
        "One of the labels is wrong. In training it teaches noise, and of held-out cells no model "
        "can be right on both.",
        "Let an expert look at the pictures, and correct or remove them.",
        lambda m: contradicting_labels.check(m.frame, m.pairs),
    ),
    shared_patients.NAME: Check(
        "No patient in two splits",
        "Patients or slides in two splits",
        "Cells of one patient share stain, camera and disease. With the patient in training the "
        "score says how well known patients are classified, not new ones.",
        "Split by patient: `buffycoat train` does so for its folds where patient_id is given.",
        lambda m: shared_patients.check(m.frame),
    ),
    id_order.NAME: Check(
        "The label is not predictable from the order of ids",
        "The label is predictable from the order of ids",
        "Ids that were given patient by patient or class by class answer for the cell. A score is "
        "worth nothing if names, row order, or features made from them reach a model, or if "
        "someone fills in labels by neighbours.",
        "Shuffle and rename the files before the data is given to others. Until then keep ids out "
        "of the model (buffycoat does), and distrust scores of those who may not have.",
        lambda m: id_order.check(m.frame),
    ),
    image_size.NAME: Check(
        "Label and split are not predictable from image size and shape",
        "Label or split is predictable from image size or shape",
        "A network sees the size in the blur and scale that resizing leaves, and may learn it "
        "instead of the cell. On images of another size it fails.",
        "Crop all images at one scale, or take all classes and splits from the same source; report "
        "scores on images of one size.",
        lambda m: image_size.check(m.frame, m.scan.headers, m.scan.is_good),
    ),
    file_metadata.NAME: Check(
        "Label and split are not predictable from file metadata",
        "Label or split is predictable from file metadata",
        "Compression and cameras leave traces in the pixels. Where they go with the label, a model "
        "may learn the trace; where they go with the split, the score measures another camera or "
        "encoder too.",
        "Export all images by one route from the rawest source there is. Encoding them anew hides "
        "the headers, not the traces.",
        lambda m: file_metadata.check(m.frame, m.scan.headers, m.scan.is_good),
    ),
    class_counts.NAME: Check(
        "Every held-out class can be learned and scored",
        "Classes that cannot be learned",
        "A class that training lacks is always wrong, and one of a few cells moves macro-F1 by "
        "chance.",
        "Add training cells of the class, or leave it out of the score and say so.",
        lambda m: class_counts.check(m.frame),
    ),
}
"""Name, as `--ignore` takes it -> check, in the order of the report."""


def audit(
    manifest: Manifest,
    scan: Scan,
    data: str,
    ignored: Collection[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Run all checks.

    Args:
        manifest: n cells.
        scan: What `scan.scan` found of its files.
        data: What the report calls the data set.
        ignored: Names of checks whose findings are accepted beforehand. They run all the same.
        on_progress: Called with (pairs confirmed or given up, candidates in all).

    Raises:
        ConfigError: A name that no check has.
    """
    check_names(ignored)
    searched = SEARCHED.format(also=WITH_EMBEDDINGS if scan.embeddings is not None else "")
    pairs = find_pairs(manifest, scan, on_progress)
    material = Material(manifest.frame, scan, pairs, searched)
    results = [
        Result(
            name,
            one.title,
            one.trouble,
            one.why,
            one.remedy,
            one.look(material),
            name in ignored,
        )
        for name, one in CHECKS.items()
    ]
    return Audit(
        data=data,
        n_cells=len(manifest),
        searched=searched,
        counts=class_counts.count_classes(manifest.frame),
        patients=class_counts.count_patients(manifest.frame),
        results=tuple(results),
        notes=manifest.notes,
        statement=manifest.statement,
        cells_sha256=fingerprint(manifest),
    )


def check_names(names: Collection[str]) -> None:
    """Make sure that all names are checks'.

    Raises:
        ConfigError: One is not; the message gives the nearest and all options.
    """
    for name in names:
        choose(CHECKS, name, "check")
