"""What the folders and the name of a picture say of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from buffycoat.sources.parts import part_of, without_part
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.spelling import is_no_class, words_of

_PREFIX = re.compile(r"([A-Za-z]+)[_ -]")
"""A class code at the beginning of a file's name, as PBC has it: `SNE_123456.jpg`."""
_PATIENT = re.compile(r"(patient|pat|p|subject|donor|case|slide|smear)[ _-]?\d+", re.IGNORECASE)
_MASKS = re.compile(r"masks?|gts?|ground ?truths?|segmentations?|annotations?|outlines?")
_MASK_FILE = re.compile(r"(.+?)[_ -](mask|seg|gt|label|segmentation)s?", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """What the place of a picture says, before any of it is believed.

    Attributes:
        name: Path relative to the data set's folder, POSIX form.
        label: Name of the folder that names its class, or of the nearest folder if none names a
            known class; "" if it lies in no such folder.
        code: What the label means; "" if it means no known class.
        part: Split by a folder's name; "" if none tells one.
        contradiction: What folders disagree about; "" if nothing.
        of_name: Class code at the beginning of its own name; "" if there is none.
        others: Folders that name neither a class nor a split.
    """

    name: str
    label: str
    code: str
    part: str
    contradiction: str
    of_name: str
    others: tuple[str, ...] = ()


def read_place(parts: Sequence[str], taxonomy: Taxonomy) -> Place:
    """Read the folders and the name of a picture.

    Args:
        parts: Of its path relative to the data set's folder, the file's name last.
        taxonomy: Knows the names of classes.
    """
    *folders, name = parts
    spelling = taxonomy.spelling
    labels: list[tuple[str, str]] = []
    splits: dict[str, str] = {}
    others: list[str] = []
    for folder in folders:
        part, text = None, folder
        if not _is_class(folder, taxonomy):
            part, text = part_of(folder), without_part(folder)
        if part is not None:
            splits.setdefault(part, folder)
        if _is_class(text, taxonomy):
            labels.append((folder, spelling.find(text) or ""))
        elif part is None:
            others.append(folder)
    codes = {code for _, code in labels}
    contradiction = ""
    if len(splits) > 1:
        contradiction = f"folders {' and '.join(splits.values())} name different splits"
    elif len(codes) > 1 and not is_line(codes, taxonomy):
        contradiction = f"folders {' and '.join(f for f, _ in labels)} name different classes"
    label, code = labels[-1] if labels else (others[-1] if others else "", "")
    match = _PREFIX.match(name)
    if match and any(name.casefold().startswith(folder.casefold()) for folder in folders):
        match = None  # the folder's own name, as in `lymphocyte_reactive/lymphocyte_reactive_1.png`
    of_name = spelling.find(match[1]) if match and _is_code(match[1], taxonomy) else None
    part = next(iter(splits), "")
    return Place("/".join(parts), label, code, part, contradiction, of_name or "", tuple(others))


def is_line(codes: set[str], taxonomy: Taxonomy) -> bool:
    """Whether codes are a class and groups that hold it."""
    sets = sorted((set(taxonomy.members.get(code, ())) for code in codes), key=len)
    return all(small <= large for small, large in pairwise(sets))


def stray_prefixes(places: Sequence[Place], taxonomy: Taxonomy) -> set[str]:
    """Codes that begin names in folders of several classes: an exporter's mark, not a label."""
    folders = defaultdict(set)
    for place in places:
        if place.of_name and place.code:
            folders[place.of_name].add(place.code)
    return {
        name
        for name, codes in folders.items()
        if len(codes) > 1 and not all(is_line({name, code}, taxonomy) for code in codes)
    }


def stray_folders(places: Sequence[Place], labels: Sequence[str]) -> list[str]:
    """A fault for folders that name no split where others beside them do.

    Args:
        places: n of them.
        labels: Of each, "" for none.
    """
    parted = {folder for place in places if place.part for folder in place.others}
    parts = {place.part for place in places} - {""}
    stray = {
        folder
        for place, label in zip(places, labels, strict=True)
        if label and parts and not place.part
        for folder in place.others
        if folder not in parted and folder != label
    }
    if not stray:
        return []
    return [
        f"folders {', '.join(sorted(stray)[:3])} name no split, and others do: put 'train', 'val' "
        "or 'test' into their names, or leave them out with --leave-out"
    ]


def patients_note(places: Sequence[Place]) -> list[str]:
    """What to do about folders that look like patients or slides, since none is read from them."""
    folders = {folder for place in places for folder in place.name.split("/")[:-1]}
    found = sorted(folder for folder in folders if _PATIENT.fullmatch(folder))
    if not found:
        return []
    return [
        f"folders such as {found[0]} are not read: if they are patients, give a table with "
        "patient_id, or cells of one patient may be in several folds"
    ]


def masks_among(names: Sequence[str], taxonomy: Taxonomy) -> set[str]:
    """Pictures that are drawn masks of others.

    Such as `001_mask.png` beside `001.png`, and what lies in a folder `Ground Truth Segmentation`.

    Args:
        names: Paths relative to the data set's folder, POSIX form.
        taxonomy: A folder that is named after a class holds no masks.
    """
    stems = {name.rpartition(".")[0] or name for name in names}
    found = set()
    for name in names:
        folder, _, file = (name.rpartition(".")[0] or name).rpartition("/")
        match = _MASK_FILE.fullmatch(file)
        if match and (f"{folder}/{match[1]}" if folder else match[1]) in stems:
            found.add(name)
    folders = {name.rpartition("/")[0] for name in names}
    of_masks = {folder for folder in folders if _has_masks(folder, taxonomy)}
    in_folders = [name for name in names if name.rpartition("/")[0] in of_masks]
    return found | set(in_folders) if len(in_folders) < len(names) else found


def _has_masks(folder: str, taxonomy: Taxonomy) -> bool:
    names = [name for name in folder.split("/") if not _is_class(name, taxonomy)]
    for words in map(words_of, names):
        pairs = (" ".join(pair) for pair in pairwise(words))
        if any(_MASKS.fullmatch(text) for text in (*words, *pairs)):
            return True
    return False


def _is_class(name: str, taxonomy: Taxonomy) -> bool:
    return bool(name) and (taxonomy.spelling.find(name) is not None or is_no_class(name))


def _is_code(prefix: str, taxonomy: Taxonomy) -> bool:
    """Codes in upper case, and names of groups and classes written out: `SNE`, `NEUTROPHIL`."""
    found = taxonomy.spelling.find(prefix)
    return found is not None and (prefix == found or len(prefix) > 4)
