"""Which columns of a table hold the cells' names and their labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.tables.names import join_names
from buffycoat.tables.rows import Rows
from buffycoat.taxonomy import BLOOD
from buffycoat.taxonomy.spelling import Spelling

OWN_IDS = ("cell_id", "ID")
"""As our own tables name the column, and WBCBench's, which is the file name alone."""
OWN_LABELS = ("labels", "label")
TRUE_LABELS = frozenset("truelabel truth groundtruth target".split())
"""Beside one of these, a column `label` may be a prediction."""
ID_NAMES = (
    "path filepath imagepath imgpath filename file imagefile imagefilename imgfile image images "
    "imagename imageid img imgid imgname id idcode cellid cellname name newnames picture".split()
)
"""Other names of the column of IDs, without case, spaces and signs; those of paths first."""
LABEL_NAMES = (
    "label labels labelname classlabel class classes classname cellclass celltype celltypes "
    "cellname category categories type y annotation annotations".split()
)
"""Other names of the column of labels."""
ON, OFF = {"1", "1.0", "true", "yes", "x"}, {"", "0", "0.0", "false", "no"}


def is_known_column(name: str) -> bool:
    """Whether a text is a usual name of a column of IDs or labels."""
    return key(name) in {*ID_NAMES, *LABEL_NAMES, *TRUE_LABELS}


def is_class_among(names: Sequence[str]) -> bool:
    """Whether one text among several is a class, as in a row; columns of classes are more."""
    found = {name: BLOOD.spelling.find(name) for name in filter(None, names)}
    return len(names) > 1 and sum(code is not None for code in found.values()) == 1


def find_ids(rows: Rows, chosen: str | None = None, known: Collection[str] = ()) -> str:
    """The column of the cells' names.

    Args:
        rows: The table.
        chosen: The column, if a person has named it.
        known: The cells' names; the column that holds them is meant, whatever the others are
            called: a column `name` may be of patients.

    Raises:
        ManifestError: No column, or several, may be meant.
    """
    if chosen is not None:
        rows.require((chosen,))
        return chosen
    found = [name for name in rows.header if key(name) in ID_NAMES]
    if known and len(found) == 1 and not _holds_some(rows, found[0], known):
        found = [name for name in rows.header if _holds_some(rows, name, known)] or found
    if known and len(found) != 1:
        found = _that_join(rows, found or list(rows.header), known) or found
    own = [name for name in OWN_IDS if name in found]
    if not found:
        raise ManifestError(
            f"{rows.path}: no column with the names of the cells; it has "
            f"{', '.join(rows.header) or 'none'}. Rename the one that is meant to 'ID'"
        )
    if len(found) > 1 and not own:
        raise _ambiguous(rows, "names of the cells", found, "ID", "--id-column")
    return (own or found)[0]


def _holds_some(rows: Rows, name: str, known: Collection[str]) -> bool:
    """Whether a column has one of the names as they stand."""
    return not {*known}.isdisjoint(rows.column(name))


def _that_join(rows: Rows, names: list[str], known: Collection[str]) -> list[str]:
    """Those columns that hold most known names, if any; one if they say the same of each row."""
    cells = {}
    for name in names:
        column = rows.column(name)
        joined = join_names(column, known).known
        cells[name] = tuple(joined.get(text) for text in column)
    n_found = {name: len(row) - row.count(None) for name, row in cells.items()}
    best = [name for name in names if n_found[name] and n_found[name] == max(n_found.values())]
    return best[:1] if len({cells[name] for name in best}) == 1 else best


def find_labels(
    rows: Rows, chosen: str | None = None, spelling: Spelling = BLOOD.spelling
) -> tuple[str, list[str]]:
    """The true label of each row as it is spelt.

    Labels stand in one column, or in one column a class that holds 1 where the cell is of it. A
    column is recognised by its name, else by holding names of classes in every row.

    Args:
        rows: The table.
        chosen: The column, if a person has named it.
        spelling: Knows the names of classes.

    Returns:
        Name of the column, "" for columns of classes; and the labels, "" where there is none,
        shape (n,).

    Raises:
        ManifestError: No column, or several that say different things, may be meant; or a row has
            several classes.
    """
    if chosen is not None:
        rows.require((chosen,))
        return chosen, rows.column(chosen)
    keys = {name: key(name) for name in rows.header}
    true = [name for name in rows.header if keys[name] in TRUE_LABELS]
    own = [name for name in OWN_LABELS if name in rows.header]
    others = [name for name in rows.header if keys[name] in LABEL_NAMES and name not in own]
    found = true or [*own[:1], *others]
    if found:
        name = found[0] if len(found) == 1 else _agreed(rows, found, spelling)
        return name, rows.column(name)
    classes = [name for name in rows.header if spelling.find(name)]
    if len(classes) > 1:
        return "", _one_hot(rows, classes)
    telling = [name for name in rows.header if _holds_classes(rows.column(name), spelling)]
    if telling:
        name = telling[0] if len(telling) == 1 else _agreed(rows, telling, spelling)
        return name, rows.column(name)
    raise ManifestError(
        f"{rows.path}: no column with the labels of the cells; it has "
        f"{', '.join(rows.header) or 'none'}. Rename the one that is meant to 'labels'"
    )


def key(name: str) -> str:
    """A column's name without case, spaces and signs."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _holds_classes(texts: Sequence[str], spelling: Spelling) -> bool:
    return bool(texts) and all(spelling.find(text) for text in set(texts))


def _agreed(rows: Rows, names: Sequence[str], spelling: Spelling) -> str:
    """The first of the columns that name classes, if all of these mean the same ones."""
    meaning = {}
    for name in names:
        column = rows.column(name)
        codes = [spelling.find(text) if text else "" for text in column]
        if None not in codes and any(codes):
            meaning[name] = codes
    if len({tuple(codes) for codes in meaning.values()}) == 1:
        return next(iter(meaning))
    if not meaning and names[0] in OWN_LABELS:
        return names[0]
    raise _ambiguous(rows, "labels", [*meaning] or names, "labels", "--label-column")


def _ambiguous(
    rows: Rows, what: str, names: Sequence[str], right: str, option: str
) -> ManifestError:
    return ManifestError(
        f"{rows.path}: columns {' and '.join(map(repr, names))} may both hold the {what}. Rename "
        f"the one that is meant to {right!r} (for evaluate, or name it with {option})"
    )


def _one_hot(rows: Rows, classes: Sequence[str]) -> list[str]:
    labels, faults = [], []
    for place, (_, row) in zip(rows.places, rows, strict=True):
        marks = {name: row[name].casefold() for name in classes}
        strange = [name for name, mark in marks.items() if mark not in ON | OFF]
        if strange:
            faults.append(
                f"{place}: column {strange[0]!r} is {row[strange[0]]!r}, expected 1 or 0 in a "
                "column of a class"
            )
        on = [name for name, mark in marks.items() if mark in ON]
        if len(on) > 1:
            faults.append(f"{place}: is of {' and '.join(on)}; a cell is of one class")
        labels.append(on[0] if on else "")
    if faults:
        raise manifest_error(str(rows.path), faults)
    return labels
