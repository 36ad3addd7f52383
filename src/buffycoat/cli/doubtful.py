"""How many cells need a look, and why, in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MOSTLY = 0.5
"""Over this share of doubtful cells, labels and figures rest more on cells that the model asks a
person to look at than on those that it does not."""
MOSTLY_DOUBTFUL = (
    "Most cells need a look: do not use these labels as they are. Usual causes: images that do not "
    "show one white cell in the centre (fields of view, empty background, other objects), or a "
    "stain, camera or scale unlike that of the training cells. Look at some of them; `buffycoat "
    "explain BUNDLE IMAGE --out why.png` gives the reasons for one. Before you use other labels of "
    "this source, score the model on some of its cells whose class you know: `buffycoat evaluate`."
)


def is_mostly_doubtful(frame: pd.DataFrame) -> bool:
    """Whether most cells of a table of predictions need a look."""
    return bool(frame["is_abstained"].sum() > MOSTLY * len(frame))


def summary(frame: pd.DataFrame, n_unreadable: int) -> list[str]:
    """Sentences on doubt in a table of predictions.

    Args:
        frame: From `cells.predictions_frame`.
        n_unreadable: Images that no prediction was made for.

    Returns:
        How many cells need a look and why, the commonest reason first; what the other cells leave
        open; and the images that could not be read.
    """
    found = _needs_look(frame) + _several_classes(frame) if len(frame) else []
    if n_unreadable:
        found.append(f"{_images(n_unreadable)} could not be read and got no label.")
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
        console.print(f"None of {n} cells needs a look (column is_abstained).", highlight=False)
        return
    if kept["n"]:
        title = f"Without the {n_doubtful} of {n} cells that need a look ({n_doubtful / n:.0%})"
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


def _needs_look(frame: pd.DataFrame) -> list[str]:
    from buffycoat.cells import DOUBTS

    doubtful = frame.loc[frame["is_abstained"]]
    n = len(doubtful)
    if not n:
        return [f"None of {len(frame)} cells needs a look (column is_abstained)."]
    counts = Counter(code for codes in doubtful["reasons"] for code in codes.split())
    reasons = ", ".join(f"{count} {DOUBTS[code]}" for code, count in counts.most_common())
    several = " (a cell can have several reasons)" if counts.total() > n else ""
    verb = "needs" if n == 1 else "need"
    text = f"{n} of {len(frame)} cells ({n / len(frame):.0%}) {verb} a look: {reasons}{several}."
    n_restored = int(doubtful["is_restored"].sum())
    if n_restored:
        text += f" {n_restored} of them {'was' if n_restored == 1 else 'were'} restored."
    return [text]


def _several_classes(frame: pd.DataFrame) -> list[str]:
    others = frame.loc[~frame["is_abstained"]]
    n = int(others["conformal_set"].str.contains(" ", regex=False).sum())
    if not n:
        return []
    have = "has" if n == 1 else "have"
    return [f"Of the other {len(others)}, {n} {have} more than one possible class (conformal_set)."]


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"
