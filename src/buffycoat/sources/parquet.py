"""Parquet tables that hold the pictures themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.images import check_pictures, survey
from buffycoat.sources.columns import find_columns
from buffycoat.sources.draft import Draft, is_left_out
from buffycoat.sources.hugging_face import read_hugging_face
from buffycoat.sources.options import Reading
from buffycoat.tables import read_rows
from buffycoat.taxonomy.built_in import for_reading


def parquet_pictures(folder: Path, reading: Reading) -> list[Path]:
    """The Parquet tables under a folder that have a column `image`, but for those left out."""
    tables = sorted(folder.rglob("*.parquet"))
    return [
        path
        for path in tables
        if is_left_out(path.relative_to(folder).as_posix(), reading.leave_out) is None
        and "image" in columns_of(path)
    ]


def read_parquet_pictures(path: Path, reading: Reading) -> Draft:
    """Read tables with pictures in them; what lies beside them is said, or refused.

    Args:
        path: A folder, or one table.
        reading: What to leave out, and whether labels are asked for.

    Raises:
        ManifestError: A fault in a table, or another table that would say more of the cells.
    """
    tables = [path] if path.is_file() else parquet_pictures(path, reading)
    found = read_hugging_face(path, tables, reading)
    for table in tables:
        check_pictures(table)
    left_out: Counter[str] = Counter()
    others, not_used = _beside(path, tables, reading, left_out) if path.is_dir() else ({}, {})
    return Draft(
        found.frame,
        "hugging_face",
        "Parquet tables with pictures",
        len(found),
        label_from="the column of labels" if reading.needs_labels else "",
        split_from="the tables" if reading.needs_labels else "",
        not_looked_at=others,
        used=tuple(p.name if path.is_file() else p.relative_to(path).as_posix() for p in tables),
        not_used=not_used,
        left_out=left_out,
        notes=found.notes,
    )


def _beside(
    folder: Path, tables: list[Path], reading: Reading, left_out: Counter[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Files that are not looked at, and tables that say nothing of the cells."""
    found = survey(folder)
    others, not_used, faults = defaultdict(list), {}, []
    for picture in found.images:
        name = picture.relative_to(folder).as_posix()
        pattern = is_left_out(name, reading.leave_out)
        if pattern is None:
            others["picture (beside the tables)"].append(name)
        else:
            left_out[pattern] += 1
    for other in found.others:
        name = other.path.relative_to(folder).as_posix()
        pattern = is_left_out(name, reading.leave_out)
        if pattern is not None:
            left_out[pattern] += 1
        if other.path in tables or pattern is not None:
            continue
        if other.kind == "table" and _says_something(other.path, reading):
            faults.append(
                f"{name} is not read beside Parquet tables with pictures. Put its columns into "
                f"them, or leave it out with --leave-out {name}"
            )
        elif other.kind == "table":
            not_used[name] = (
                "no label, split or patient in it"
                if reading.needs_labels
                else "no patient or slide in it; labels and splits are not asked for"
            )
        else:
            others[other.why].append(name)
    if faults:
        raise manifest_error(str(folder), faults)
    return {why: tuple(names) for why, names in others.items()}, not_used


def _says_something(path: Path, reading: Reading) -> bool:
    try:
        rows = read_rows(path)
    except ManifestError:
        return True  # it may, and cannot be read
    spelling = for_reading(reading.taxonomy).spelling
    columns = find_columns(rows.header, [row for _, row in rows], spelling)
    return (columns if reading.needs_labels else columns.without_annotations()).says_something


def columns_of(path: Path) -> list[str]:
    """Names of a Parquet table's columns.

    Raises:
        ManifestError: It cannot be read.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(path).names
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(
            f"{path}: not a readable Parquet table ({error}). Download it again"
        ) from error
