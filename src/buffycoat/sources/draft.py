"""From what a reader found to a manifest: labels in the taxonomy's codes, and the statement."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.cells import SPLITS, Manifest
from buffycoat.errors import ManifestError
from buffycoat.plurals import some_of
from buffycoat.sources.options import Reading
from buffycoat.statement import UNLABELLED, Statement
from buffycoat.taxonomy import read_labels
from buffycoat.taxonomy.built_in import for_reading
from buffycoat.taxonomy.spelling import words_of


@dataclass
class Draft:
    """What a reader found, labels as they stand in the data.

    Attributes:
        frame: As `Manifest.from_frame` takes it.
        source: For the manifest's messages.
        layout: How the data lie, in words.
        n_files: Pictures found.
        label_from: Where the labels come from.
        split_from: Where the splits come from.
        not_looked_at: Why -> files, relative to the data.
        used: Tables used.
        not_used: Table -> why it was not.
        left_out: Pattern of `Reading.leave_out` -> cells that it took out already.
        notes: What was taken for granted.
    """

    frame: pd.DataFrame
    source: str
    layout: str
    n_files: int
    label_from: str = ""
    split_from: str = ""
    not_looked_at: dict[str, tuple[str, ...]] = field(default_factory=dict)
    used: tuple[str, ...] = ()
    not_used: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()


def finish(draft: Draft, data: Path, reading: Reading) -> Manifest:
    """The manifest of a draft.

    Args:
        draft: What the reader found.
        data: The path that was given.
        reading: Names the taxonomy, and the labels to leave out.

    Raises:
        ManifestError: What is to be left out is not there, or nothing else is.
    """
    frame = draft.frame
    labels = [None if pd.isna(label) else str(label) for label in frame["label"]]
    codes = read_labels([label for label in labels if label is not None], reading.taxonomy)
    left_out = Counter(draft.left_out)
    keep = np.ones(len(frame), dtype=bool)
    for pattern in reading.leave_out:
        taken = _labels_like(pattern, codes, reading)
        is_taken = keep & np.array([label in taken for label in labels], dtype=bool)
        left_out[pattern] += int(np.count_nonzero(is_taken))
        keep &= ~is_taken
    if not reading.is_of_several:
        _check_left_out(left_out, reading, codes)
    if not keep.any():
        raise ManifestError(f"{data}: nothing is left: --leave-out takes out every cell")
    kept = sorted({label for label, is_kept in zip(labels, keep, strict=True) if is_kept and label})
    frame = frame.assign(label=[codes.get(label or "") for label in labels]).iloc[keep.nonzero()[0]]
    manifest = Manifest.from_frame(frame, draft.source, draft.notes)
    taxonomy, present = for_reading(reading.taxonomy), {codes[label] for label in kept}
    patients = {one for one in manifest.column("patient_id") if not pd.isna(one)}
    statement = Statement(
        data=str(data),
        layout=draft.layout,
        n_files=draft.n_files,
        not_looked_at=_without_tables(draft),
        tables_used=draft.used,
        tables_not_used=draft.not_used,
        label_from=draft.label_from if manifest.is_labelled.any() else "",
        split_from=draft.split_from,
        spelled={label: codes[label] for label in kept if codes[label] != label},
        groups={g.code: g.members for g in taxonomy.groups if g.code in present},
        unknown=tuple(sorted(present - set(taxonomy.members))),
        left_out={name: count for name, count in left_out.items() if count},
        cells=_count(manifest.frame),
        patients=len(patients),
        without_patient=sum(map(pd.isna, manifest.column("patient_id"))),
        notes=(*draft.notes, *_unlabelled(manifest)),
    )
    return Manifest(manifest.frame, manifest.notes, statement)


def _without_tables(draft: Draft) -> dict[str, tuple[str, ...]]:
    """Files that are spoken of nowhere else."""
    named = {*draft.used, *draft.not_used}
    rest = {
        why: tuple(name for name in files if name not in named)
        for why, files in draft.not_looked_at.items()
    }
    return {why: files for why, files in rest.items() if files}


def is_left_out(name: str, patterns: Sequence[str]) -> str | None:
    """The first pattern that takes a file out, by its path, its name or one of its folders.

    Args:
        name: Path relative to the data set's folder, POSIX form.
        patterns: As in `Reading.leave_out`.
    """
    parts = name.split("/")
    texts = [name, *parts, *("/".join(parts[:n]) for n in range(2, len(parts)))]
    for pattern in patterns:
        if any(fnmatch.fnmatchcase(text, pattern.rstrip("/")) for text in texts):
            return pattern
    return None


def _labels_like(pattern: str, codes: Mapping[str, str], reading: Reading) -> set[str]:
    """Labels of the data that a pattern means, as they stand there."""
    code = read_labels([pattern], reading.taxonomy)[pattern]
    same = {label for label, meant in codes.items() if code in (label, meant)}
    same |= {label for label in codes if words_of(label) == words_of(pattern) != ()}
    folded = pattern.casefold()
    return same | {label for label in codes if fnmatch.fnmatchcase(label.casefold(), folded)}


def _check_left_out(left_out: Counter[str], reading: Reading, codes: Mapping[str, str]) -> None:
    idle = [pattern for pattern in reading.leave_out if not left_out[pattern]]
    if idle:
        labels = ", ".join(dict.fromkeys(codes)) or "none"
        raise ManifestError(
            f"--leave-out {', '.join(map(repr, idle))}: no label, file, folder or table is called "
            f"so. Labels are: {labels}"
        )


def _count(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    counts = {}
    for split in SPLITS:
        labels = frame.loc[frame["split"] == split, "label"].fillna(UNLABELLED)
        if len(labels):
            counts[split] = {str(k): int(v) for k, v in labels.value_counts().items()}
    return counts


def _unlabelled(manifest: Manifest) -> list[str]:
    """Cells without a label in a split whose others have one."""
    said = []
    for split in ("train", "eval"):
        cells = manifest.of_split(split)
        missing = cells.column("cell_id")[~cells.is_labelled]
        if 0 < len(missing) < len(cells):
            said.append(
                some_of(len(missing), len(cells), f"{split} cell", "has", "have")
                + f" no label, not learned from or scored, first {missing[0]!r}"
            )
    return said
