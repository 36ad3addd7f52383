"""Tables beside pictures: used, or refused with the setting that decides, never passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from buffycoat.cells import manifest_error
from buffycoat.sources.draft import Draft
from buffycoat.sources.folders import Pictures, frame_of, read_folders, split_words
from buffycoat.sources.image_index import ImageIndex
from buffycoat.sources.label_table import LabelTable, look_at
from buffycoat.sources.options import Reading
from buffycoat.sources.places import Place, patients_note, read_place
from buffycoat.sources.table import label_words, read_row
from buffycoat.taxonomy import Taxonomy, read_labels
from buffycoat.taxonomy.built_in import for_reading

SHOWN = 3
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".parquet", ".xlsx", ".xls", ".ods")
MAX_TABLES = 30
"""More tables than that are one a picture, such as lists of boxes: they are not looked into."""
_MOVED = "{n:,} cells lie in a folder of another split than the table says: the table counts"
_DECIDE = "decide by --labels-from tables, or --labels-from folders, or --leave-out {name}"


def read_beside(found: Pictures, reading: Reading) -> Draft:
    """Read pictures with what folders, names and tables say of them.

    Args:
        found: The pictures, and files that may be tables.
        reading: Which place of labels counts, and what to leave out.

    Raises:
        ManifestError: A table names pictures and says something of them that is not used, with the
            setting that decides; or a fault in what is used.
    """
    taxonomy = for_reading(reading.taxonomy)
    tables = _look(found, taxonomy)
    with_labels = [table for table in tables if table.looks_useful and table.columns.has_labels]
    places = [read_place(found.name(path).split("/"), taxonomy) for path in found.paths]
    is_in_classes = any(place.code for place in places)
    wants_tables = reading.labels_from == "tables" or (
        reading.labels_from == "auto" and bool(with_labels) and not is_in_classes
    )
    if wants_tables:
        draft = _from_tables(found, with_labels, places)
    else:
        draft = read_folders(found, reading)
        if reading.labels_from == "auto":
            _check_agreement(draft, with_labels, found, reading)
    unused = {
        found.name(table.path): table.why_not or "it gives labels, and they are not wanted"
        for table in tables
        if found.name(table.path) not in draft.used and table.path.suffix.lower() != ".txt"
    }
    if not draft.label_from and reading.labels_from == "auto":
        _refuse_unread(tables, found)
    for table in tables:
        draft = _with_columns(draft, table, found)
    return replace(draft, not_used={k: v for k, v in unused.items() if k not in draft.used})


def _look(found: Pictures, taxonomy: Taxonomy) -> list[LabelTable]:
    paths = [path for path in found.tables if path.suffix.lower() in TABLE_SUFFIXES]
    if len(paths) > MAX_TABLES:
        return []
    index = ImageIndex(found.folder, found.paths)
    return [look_at(path, index, taxonomy.spelling) for path in paths]


def _from_tables(found: Pictures, tables: Sequence[LabelTable], places: Sequence[Place]) -> Draft:
    """Cells by the tables that give labels; splits by a column, the table's name or the folder."""
    if not tables:
        raise manifest_error(str(found.folder), ["no table in it names its pictures and a label"])
    faults: list[str] = []
    said: dict[str, dict[str, str | int | None]] = {}
    first: dict[str, str] = {}
    moved = 0
    of_place = {found.name(path): place for path, place in zip(found.paths, places, strict=True)}
    for table in tables:
        for number, row in table.rows:
            where = table.where(number)
            name = _picture(table, number, row, found, faults)
            values = read_row(row, table.columns, where, faults)
            if name is None:
                continue
            if not (table.columns.split and row.get(table.columns.split)):
                values["split"] = table.part or of_place[name].part or values["split"]
            elif of_place[name].part not in ("", values["split"]):
                moved += 1
            if first.setdefault(name, where) != where and said[name] != values:
                faults.append(f"{where}: {name} is in {first[name]} too, and otherwise there")
            said.setdefault(name, values)
    missing = [n for n, place in of_place.items() if n not in said and place.part != "test"]
    if missing:
        names = " or ".join(table.path.name for table in tables)
        faults.append(
            f"{len(missing)} of {len(of_place)} pictures have no row in "
            f"{names}, such as {missing[0]}: add the rows, "
            "or leave these pictures out with --leave-out and their names or folder"
        )
    if faults:
        raise manifest_error(str(found.folder), faults)
    rows = [said.get(name, {"split": place.part or None}) for name, place in of_place.items()]
    columns = sorted({key for row in rows for key in row} - {"label", "split"})
    frame = frame_of(found.folder, found.paths, rows)
    for column in columns:
        frame[column] = [row.get(column) for row in rows]
    splits = [f"column {t.columns.split} of {t.path.name}" for t in tables if t.columns.split]
    without = [table for table in tables if not table.columns.split]
    splits += [f"the name of {table.path.name}" for table in without if table.part]
    if without and any(place.part for place in places):
        splits.append(split_words(places))
    return Draft(
        frame,
        "folders",
        "pictures with a table" if len(tables) == 1 else f"pictures with {len(tables)} tables",
        found.n_files,
        label_from=_label_words(tables, found),
        split_from=" and ".join(splits),
        not_looked_at=found.not_looked_at,
        used=tuple(found.name(table.path) for table in tables),
        left_out=found.left_out,
        notes=(*patients_note(places), *([_MOVED.format(n=moved)] if moved else [])),
    )


def _label_words(tables: Sequence[LabelTable], found: Pictures) -> str:
    """Where the labels come from; tables whose columns have one name are named together."""
    if len({table.columns.label for table in tables}) == 1 and tables[0].columns.label:
        names = " and ".join(found.name(table.path) for table in tables)
        return f"column {tables[0].columns.label} of {names}"
    return " and ".join(label_words(table.columns, found.name(table.path)) for table in tables)


def _picture(
    table: LabelTable, number: int, row: dict[str, str], found: Pictures, faults: list[str]
) -> str | None:
    """The picture that a row names, as a relative path; a fault where it is none or not clear."""
    column = table.file_column or ""
    pictures = table.pictures.get(number, [])
    if len(pictures) == 1:
        return found.name(pictures[0])
    where, value = table.where(number), row.get(column, "")
    if not value:
        faults.append(f"{where}: {column} is empty")
    elif not pictures:
        faults.append(f"{where}: {column} {value!r} names no picture in {found.folder}")
    else:
        names = ", ".join(found.name(path) for path in pictures[:SHOWN])
        faults.append(f"{where}: {column} {value!r} may be {names}: write the path")
    return None


def _check_agreement(
    draft: Draft, tables: Sequence[LabelTable], found: Pictures, reading: Reading
) -> None:
    """Refuse tables that say of a cell something else than folders and names do."""
    of_path = dict(zip(draft.frame["path"], draft.frame["label"], strict=True))
    faults = []
    for table in tables:
        labels = {number: table.columns.label_of(row) for number, row in table.rows}
        codes = read_labels({*filter(None, labels.values()), *filter(None, of_path.values())},
                            reading.taxonomy)  # fmt: skip
        other = []
        for number, pictures in table.pictures.items():
            here = of_path[str(pictures[0])] if len(pictures) == 1 else None
            if here and labels[number] and codes[labels[number]] != codes[here]:
                other.append((number, here, labels[number]))
        if other:
            number, here, there = other[0]
            faults.append(
                f"{table.where(number)} says {there}, the folder says {here} ({len(other)} such "
                f"cells): {_DECIDE.format(name=table.path.name)}"
            )
    if faults:
        raise manifest_error(str(found.folder), faults)


def _refuse_unread(tables: Sequence[LabelTable], found: Pictures) -> None:
    """Without any label, a table that may hold them must not be passed over."""
    faults = [
        f"{table.path.name} may hold the labels, but {table.why_not}. Mend it, or go on without "
        f"labels with --leave-out {table.path.name}"
        for table in tables
        if table.why_not and table.may_hold_labels
    ]
    if faults:
        raise manifest_error(str(found.folder), faults)


def _with_columns(draft: Draft, table: LabelTable, found: Pictures) -> Draft:
    """Add what a table says of splits, patients and slides to cells that have their labels."""
    name = found.name(table.path)
    columns = table.columns
    if not table.looks_useful or name in draft.used:
        return draft
    faults: list[str] = []
    said = {}
    for number, row in table.rows:
        if len(table.pictures.get(number, [])) == 1:
            values = read_row(row, columns, table.where(number), faults)
            said[str(table.pictures[number][0])] = values
    frame = draft.frame.copy()
    used = [key for key in ("split", "patient_id", "slide_id") if getattr(columns, key)]
    for key in used:
        values = [said.get(path, {}).get(key) for path in frame["path"]]
        if key == "split":
            faults += _split_faults(draft, values, table)
        frame[key] = values
    if faults:
        raise manifest_error(str(found.folder), faults)
    if not used:
        return draft
    split_from = f"column {columns.split} of {name}" if columns.split else draft.split_from
    return replace(draft, frame=frame, used=(*draft.used, name), split_from=split_from)


def _split_faults(draft: Draft, values: list, table: LabelTable) -> list[str]:
    decide = f"Complete it, or leave it out with --leave-out {table.path.name}"
    missing = [n for n, value in zip(draft.frame["cell_id"], values, strict=True) if not value]
    if missing:
        what = f"{len(missing)} cells have no split, first {missing[0]}"
        return [f"{table.path.name}: {what}. {decide}"]
    other = [a != b for a, b in zip(draft.frame["split"], values, strict=True)]
    if draft.split_from and any(other):
        return [f"{table.path.name}: {sum(other)} cells have another split by folder. {decide}"]
    return []
