"""How a data set is to be read, where its layout leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass

LABELS_FROM = ("auto", "folders", "names", "tables")


@dataclass(frozen=True)
class Reading:
    """Choices that a user may make.

    Attributes:
        taxonomy: A built-in name, a TOML file or "auto"; its names are looked for in the data.
        labels_from: One of `LABELS_FROM`: which of several places with labels counts.
        leave_out: Labels in any spelling, or patterns of files, folders and tables, whose cells
            are not wanted; `*` stands for any characters.
        is_of_several: Whether this is one of several data sets: what is to be left out need not be
            in each of them.
        needs_labels: Whether labels, splits and severities are asked for. Where not, those of a
            table are passed over, whatever stands there; what leaves cells out by a label needs it.
    """

    taxonomy: str = "auto"
    labels_from: str = "auto"
    leave_out: tuple[str, ...] = ()
    is_of_several: bool = False
    needs_labels: bool = True
