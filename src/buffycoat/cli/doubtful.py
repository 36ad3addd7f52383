"""How many cells need a look, and why, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from buffycoat.evaluate.limits import MOSTLY
from buffycoat.plurals import counted, some_of

if TYPE_CHECKING:
    from buffycoat.predict.results import Counts

MOSTLY_DOUBTFUL = (
    "Most cells need a look: do not use these labels as they are. Usual causes: images that do not "
    "show one white cell in the centre (fields of view, which `buffycoat find` cuts into cells; "
    "empty background; other objects), or a stain, camera or scale unlike that of the training "
    "cells. Look at some of them; `buffycoat explain BUNDLE IMAGE --out why.png` gives the reasons "
    "for one. Before you use other labels of this source, score the model on some of its cells "
    "whose class you know: `buffycoat evaluate`."
)


def is_mostly_doubtful(counts: Counts) -> bool:
    """Whether most cells need a look."""
    return counts.n_doubtful > MOSTLY * counts.n_cells


def summary(counts: Counts, is_whole: bool = True) -> list[str]:
    """Sentences on doubt.

    Args:
        counts: Of all cells.
        is_whole: Whether every reason was looked for; without outlines, some are not.

    Returns:
        How many cells need a look and why, the commonest reason first; what the other cells leave
        open; and the images that could not be read.
    """
    found = _needs_look(counts) + _several_classes(counts) if counts.n_cells else []
    if counts.n_cells and not is_whole:
        found.append(
            "Outlines were not looked at for these columns: --columns doubt also finds images "
            "without a cell."
        )
    if counts.n_bad:
        found.append(f"{counted(counts.n_bad, 'image')} could not be read and got no label.")
    return found


def print_without_doubtful(metrics: Mapping[str, Any]) -> None:
    """Scores of all cells beside those of the cells that need no look.

    Args:
        metrics: From `summary.evaluate`, with `without_doubtful` from `evaluate.doubt`.
    """
    from buffycoat.cli.console import results_console
    from buffycoat.cli.tables import interval_cells, new_table
    from buffycoat.evaluate.doubt import SELECTIVE

    kept = metrics["without_doubtful"]
    n_doubtful, n = kept["n_doubtful"], kept["n"] + kept["n_doubtful"]
    console = results_console()
    if not n_doubtful:
        console.print(
            f"None of {counted(n, 'cell')} needs a look (column is_abstained).", highlight=False
        )
        return
    if kept["n"]:
        told = some_of(n_doubtful, n, "cell", "that needs", "that need")
        title = f"Without the {told} a look ({n_doubtful / n:.0%})"
        table = new_table(title, "score", "all cells", "without doubtful", "95% interval")
        for name in SELECTIVE:
            words = name.replace("_", " ").replace("f1", "F1")
            table.add_row(words, interval_cells(metrics[name])[0], *interval_cells(kept[name]))
        console.print(table)
    lines = [f"Predicted right among the cells that need a look: {kept['n_doubtful_right']}."]
    if kept["lost"]:
        lost = ", ".join(kept["lost"])
        lines.append(
            f"Every cell of {lost} needs a look: not in the scores without doubtful cells."
        )
    for line in lines:
        console.print(line, highlight=False)


def _needs_look(counts: Counts) -> list[str]:
    from buffycoat.cells import DOUBTS

    n, n_cells = counts.n_doubtful, counts.n_cells
    if not n:
        return [f"None of {counted(n_cells, 'cell')} needs a look (column is_abstained)."]
    reasons = ", ".join(f"{count} {DOUBTS[code]}" for code, count in counts.reasons.most_common())
    several = " (a cell can have several reasons)" if counts.reasons.total() > n else ""
    verb = "needs" if n == 1 else "need"
    cells = counted(n_cells, "cell")
    text = f"{n} of {cells} ({n / n_cells:.0%}) {verb} a look: {reasons}{several}."
    if counts.n_restored:
        verb = "was" if counts.n_restored == 1 else "were"
        text += f" {counts.n_restored} of them {verb} restored."
    return [text]


def _several_classes(counts: Counts) -> list[str]:
    n = counts.n_several
    if not n:
        return []
    have, others = "has" if n == 1 else "have", counts.n_cells - counts.n_doubtful
    return [f"Of the other {others}, {n} {have} more than one possible class (conformal_set)."]
