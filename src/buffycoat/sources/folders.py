"""Folders of picture files: class folders, coded names, tables beside them, or nothing of these."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from buffycoat.cells import manifest_error
from buffycoat.images import is_image, survey
from buffycoat.plurals import counted
from buffycoat.sources.draft import Draft, is_left_out
from buffycoat.sources.options import Reading
from buffycoat.sources.parts import part_of
from buffycoat.sources.places import (
    Place,
    is_line,
    masks_among,
    patients_note,
    read_place,
    stray_folders,
    stray_prefixes,
)
from buffycoat.statement import plural
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.built_in import for_reading

RESULTS = (".bad.csv", ".png.csv", "restoration.csv", "bad-cells.csv")
"""How the names of lists end that commands leave, perhaps among cells: no data set is meant."""
MASKS = "drawn mask"
SHOWN = 3


@dataclass
class Pictures:
    """The pictures of a folder, and what else lies there.

    Attributes:
        folder: The data set's folder.
        paths: Of the pictures, sorted.
        tables: Files that may be tables of cells.
        not_looked_at: Why -> files that are no pictures of cells.
        left_out: Pattern -> pictures that the user does not want.
        unwanted: These pictures.
        n_files: All pictures.
    """

    folder: Path
    paths: list[Path]
    tables: list[Path]
    not_looked_at: dict[str, tuple[str, ...]]
    left_out: Counter[str] = field(default_factory=Counter)
    unwanted: list[Path] = field(default_factory=list)
    n_files: int = 0

    def name(self, path: Path) -> str:
        """Path relative to the folder, POSIX form."""
        return path.relative_to(self.folder).as_posix()


def find_pictures(folder: Path, reading: Reading) -> Pictures:
    """Every file under a folder, sorted into pictures, tables and others.

    Raises:
        ManifestError: No picture, or a name that is not UTF-8.
    """
    found = survey(folder)
    _check_names(folder, found.images)
    others = defaultdict(list)
    tables = []
    left_out: Counter[str] = Counter()
    for other in found.others:
        name = other.path.relative_to(folder).as_posix()
        pattern = is_left_out(name, reading.leave_out)
        if pattern is not None:
            left_out[pattern] += 1
            continue
        others[other.why].append(name)
        if other.kind in ("table", "text") and not name.endswith(RESULTS):
            tables.append(other.path)
    kept, unwanted = [], []
    for path in found.images:
        pattern = is_left_out(path.relative_to(folder).as_posix(), reading.leave_out)
        if pattern is None:
            kept.append(path)
        else:
            left_out[pattern] += 1
            unwanted.append(path)
    masks = masks_among([p.relative_to(folder).as_posix() for p in kept], for_reading("auto"))
    if masks:
        others[MASKS] = sorted(masks)
        kept = [path for path in kept if path.relative_to(folder).as_posix() not in masks]
    if not kept:
        named = (f"{len(files)} {plural(why, len(files))}" for why, files in others.items())
        there = ", ".join(named) or "no files"
        raise manifest_error(str(folder), [f"no image in it, at any depth; there are {there}"])
    return Pictures(
        folder, kept, tables, {why: tuple(files) for why, files in others.items()}, left_out,
        unwanted, len(found.images) - len(masks),
    )  # fmt: skip


def read_image(path: Path) -> Draft:
    """One picture, as an unlabelled cell.

    Raises:
        ManifestError: It is no picture.
    """
    _check_names(path.parent, [path])
    if not is_image(path):
        raise manifest_error(str(path), ["no image"])
    return Draft(frame_of(path.parent, [path], [{}]), "folders", "one picture", 1)


def unlabelled(found: Pictures) -> Draft:
    """Every picture as an unlabelled cell, whatever the names of files and folders say."""
    return Draft(
        frame_of(found.folder, found.paths, [{}] * len(found.paths)),
        "folders",
        "pictures of cells, without labels",
        found.n_files,
        not_looked_at=found.not_looked_at,
        left_out=found.left_out,
    )


def read_folders(found: Pictures, reading: Reading) -> Draft:
    """Read labels and splits from the names of folders and files.

    The folder that names a class gives the label. A code at the beginning of a file's name refines
    a folder that is a group of it (PBC keeps `SNE_1.jpg` in `neutrophil/`); where no folder names a
    class, it is the label. A folder of any depth that names a part of the data set gives the split.

    Args:
        found: The pictures.
        reading: The taxonomy, and which place of labels counts.

    Returns:
        Labelled cells as split "train" unless a folder says otherwise; unlabelled ones as "test".

    Raises:
        ManifestError: Lists every contradiction, and every image without a class beside ones that
            have one.
    """
    taxonomy = for_reading(reading.taxonomy)
    names = [found.name(path) for path in found.paths]
    places = [read_place(name.split("/"), taxonomy) for name in names]
    labels, label_from, notes = _labels(places, taxonomy, reading.labels_from, str(found.folder))
    faults = [f"{p.name}: {p.contradiction}" for p in places if p.contradiction]
    faults += stray_folders(places, labels)
    if faults:
        raise manifest_error(str(found.folder), faults)
    rows = [
        {"label": label or None, "split": place.part or None}
        for label, place in zip(labels, places, strict=True)
    ]
    return Draft(
        frame_of(found.folder, found.paths, rows),
        "folders",
        "class folders" if label_from.startswith("folders") else "a folder of pictures",
        found.n_files,
        label_from=label_from,
        split_from=split_words(places),
        not_looked_at=found.not_looked_at,
        left_out=found.left_out,
        notes=(*notes, *patients_note(places), *_train_note(places, labels)),
    )


def _labels(
    places: Sequence[Place], taxonomy: Taxonomy, labels_from: str, folder: str
) -> tuple[list[str], str, list[str]]:
    """Label of each picture ("" for none), where they come from, and remarks."""
    of_folders = [place.label for place in places]
    has_class_folders = any(p.code for p in places) or len({p.label for p in places} - {""}) > 1
    if labels_from != "names" and has_class_folders:
        return _from_folders(places, taxonomy, labels_from, folder)
    coded = [place.of_name for place in places]
    n_coded = sum(map(bool, coded))
    if labels_from == "folders":
        return of_folders, "folders", []
    if not n_coded:
        return [""] * len(places), "", []
    wanted = [i for i, place in enumerate(places) if not coded[i] and place.part != "test"]
    if labels_from == "auto" and (wanted or len(set(coded) - {""}) == 1):
        raise manifest_error(folder, [_ambiguous_names(places, n_coded, wanted)])
    faults = [f"{places[i].name}: its name begins with no class code" for i in wanted]
    if faults:
        raise manifest_error(folder, faults)
    return coded, "the codes that file names begin with", []


def _ambiguous_names(places: Sequence[Place], n_coded: int, wanted: Sequence[int]) -> str:
    codes = sorted({place.of_name for place in places if place.of_name})
    if not wanted:
        what = f"all names begin with {codes[0]}: is that the class of every cell?"
    else:
        first = ", ".join(places[i].name for i in wanted[:SHOWN])
        what = f"{n_coded} of {len(places)} names begin with a class code, but not {first}."
    return (
        f"{what} Say what is meant: --labels-from names takes the codes for labels (leave the "
        "others out with --leave-out NAME), --layout images takes all cells as unlabelled"
    )


def _from_folders(
    places: Sequence[Place], taxonomy: Taxonomy, labels_from: str, folder: str
) -> tuple[list[str], str, list[str]]:
    strays = stray_prefixes(places, taxonomy) if labels_from == "auto" else {*taxonomy.members}
    labels, faults, refined = [], [], 0
    for place in places:
        label, name = place.label, place.of_name
        if not label and place.part != "test":
            faults.append(
                f"{place.name}: has no class; put it in a folder named after its class, or "
                f"leave it out with --leave-out {place.name!r}"
            )
        if name and place.code and name not in strays and name != place.code:
            members = taxonomy.members
            if not is_line({name, place.code}, taxonomy):
                faults.append(
                    f"{place.name}: the folder says {label}, the name says {name}; decide by "
                    "--labels-from folders or --labels-from names"
                )
            elif len(members[name]) < len(members[place.code]):
                label, refined = name, refined + 1
        labels.append(label)
    if faults:
        raise manifest_error(folder, faults)
    notes = [
        f"names begin with {code} in folders of several classes: not taken for a label"
        for code in sorted(strays)
        if labels_from == "auto"
    ]
    more = f", {refined} of them refined by the code in the name" if refined else ""
    return labels, f"folders{more}", notes


def _train_note(places: Sequence[Place], labels: Sequence[str]) -> list[str]:
    """How many labelled cells are in no folder of a split, where others are."""
    loose = sum(bool(label) and not p.part for p, label in zip(places, labels, strict=True))
    if not loose or not any(place.part for place in places):
        return []
    return [f"in no folder of a split, and taken as train: {counted(loose, 'cell')}"]


def split_words(places: Sequence[Place]) -> str:
    """Which folders the splits come from."""
    by_part = defaultdict(set)
    for place in places:
        for name in place.name.split("/")[:-1]:
            if place.part and part_of(name) == place.part:
                by_part[place.part].add(name)
    told = "; ".join(f"{', '.join(sorted(names)[:4])} is {part}" for part, names in by_part.items())
    return f"folders ({told})" if told else ""


def frame_of(
    folder: Path, paths: Sequence[Path], rows: Sequence[Mapping[str, object]]
) -> pd.DataFrame:
    """Pictures as the table of a manifest; an id is the path from the data set's folder.

    Args:
        folder: The data set's.
        paths: Of the pictures.
        rows: For each `label` and `split`, if it has them.
    """
    return pd.DataFrame(
        {
            "cell_id": [path.relative_to(folder).as_posix() for path in paths],
            "path": [str(path) for path in paths],
            "label": [row.get("label") for row in rows],
            "split": [
                row.get("split") or ("train" if row.get("label") else "test") for row in rows
            ],
        }
    )


def _check_names(folder: Path, paths: Sequence[Path]) -> None:
    faults = [f"{str(p)!a}: the name is not UTF-8; rename it" for p in paths if not _is_utf8(p)]
    if faults:
        raise manifest_error(str(folder), faults)


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
