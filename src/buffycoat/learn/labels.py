"""The grain at which a data set can be learned: of classes, and of groups of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.learn.training_set import fine_first
from buffycoat.plurals import counted
from buffycoat.sources.table import NO_LABELS
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.grain import at_grain_of


@dataclass(frozen=True)
class Adapted:
    """Training cells, and the taxonomy at the grain of their labels.

    Attributes:
        taxonomy: With a group as a class where the cells do not tell its classes apart.
        learned: The cells, labelled in its codes; those labelled with a group come last.
        notes: Which groups became classes and why, in sentences.
    """

    taxonomy: Taxonomy
    learned: Manifest
    notes: tuple[str, ...]


def labelled(manifest: Manifest, split: str) -> Manifest:
    """Cells of a split that have a label.

    Raises:
        ManifestError: There are none; the message says why, as far as the reader knows.
    """
    cells = manifest.of_split(split)
    cells = cells.subset(cells.is_labelled)
    if len(cells):
        return cells
    others = manifest.frame.loc[manifest.is_labelled, "split"].value_counts().to_dict()
    listed = ", ".join(f"{counted(int(n), 'cell')} of {name}" for name, n in others.items())
    missing = [note for note in manifest.notes if NO_LABELS in note]
    if others:
        why = f"labelled are {listed}. Name cells to learn from 'train' where splits are stated"
    else:
        why = "; ".join(missing) or (
            "nothing there gives labels. Put the pictures of each class into a folder of its name, "
            "or give a table with the columns path and label"
        )
    raise ManifestError(f"{manifest.statement.data}: no labelled cells in split {split!r}: {why}")


def adapt(learned: Manifest, taxonomy: Taxonomy) -> Adapted:
    """Make a class of each group of which fewer than two classes have training cells.

    Args:
        learned: Labelled training cells.
        taxonomy: Holds all their labels.

    Raises:
        TaxonomyError: Two such groups overlap, and neither holds the other.
    """
    labels = learned.frame["label"].tolist()
    adapted = at_grain_of(taxonomy, labels)
    groups = [code for code in adapted.codes if code not in taxonomy.codes]
    notes = tuple(_note(code, labels, taxonomy) for code in groups)
    relabelled = relabel(learned, adapted)
    return Adapted(adapted, fine_first(relabelled, adapted), notes)


def relabel(manifest: Manifest, taxonomy: Taxonomy) -> Manifest:
    """Cells with their labels in a taxonomy's codes: SNE becomes NE where that is the class."""
    finer = set(taxonomy.lacks(manifest.frame["label"].dropna()))
    if not finer:
        return manifest
    codes = {label: taxonomy.spelling.find(label) or label for label in finer}
    return replace(
        manifest, frame=manifest.frame.assign(label=manifest.frame["label"].replace(codes))
    )


def _note(code: str, labels: Sequence[str], taxonomy: Taxonomy) -> str:
    members = [taxonomy.codes[column] for column in taxonomy.members[code]]
    known = [member for member in members if member in labels]
    if not known:
        return f"{code} is a class here: no cell says {' or '.join(members)}"
    return (
        f"{code} is a class here: of {', '.join(members)} only {', '.join(known)} has cells of its "
        f"own, so nothing tells them apart, and its cells count as {code}. To keep it, leave the "
        f"others out: --leave-out {code}"
    )
