"""`evaluate` predictions against the true labels."""

# pandas has no types of its own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from buffycoat.api.tables import Table, kept, on_disk
from buffycoat.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

    from buffycoat.evaluate.interval import Interval

INTERVALS = (
    "macro_f1",
    "macro_f1_estimable",
    "balanced_macro_f1",
    "prior_weighted_macro_f1",
    "balanced_accuracy",
    "macro_precision",
    "macro_specificity",
    "accuracy",
)


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of predictions, each with its interval.

    Attributes:
        figures: All figures as plain values, as `buffycoat evaluate --out` writes them.
    """

    figures: Mapping[str, Any]

    @property
    def n(self) -> int:
        """Cells that were scored."""
        return int(self.figures["n"])

    @property
    def level(self) -> str:
        """What the intervals rest on: "image-level" or "patient-level"."""
        return str(self.figures["level"])

    @property
    def macro_f1(self) -> Interval | None:
        """Mean F1 of the classes that the truth holds."""
        return self.interval("macro_f1")

    @property
    def balanced_macro_f1(self) -> Interval | None:
        """The same with every cell weighted by 1 / (cells of its class)."""
        return self.interval("balanced_macro_f1")

    @property
    def balanced_accuracy(self) -> Interval | None:
        """Mean sensitivity of the classes that the truth holds."""
        return self.interval("balanced_accuracy")

    @property
    def accuracy(self) -> Interval | None:
        """Share of cells whose class is right."""
        return self.interval("accuracy")

    def interval(self, name: str) -> Interval | None:
        """A score with its interval; None where it cannot be estimated, or was not asked for.

        Args:
            name: One of `INTERVALS`.

        Raises:
            ConfigError: No such score.
        """
        from buffycoat.evaluate.interval import Interval
        from buffycoat.optional import choose

        found = self.figures.get(choose({one: one for one in INTERVALS}, name, "score"))
        return Interval(**cast("dict[str, Any]", found)) if isinstance(found, dict) else None

    @property
    def per_class(self) -> pd.DataFrame:
        """A row a class: support, precision, sensitivity, specificity, F1 and its limits."""
        import pandas as pd

        rows = [_flat(row) for row in cast("list[dict[str, object]]", self.figures["per_class"])]
        return pd.DataFrame(rows).set_index("code")

    @property
    def confusion(self) -> pd.DataFrame:
        """Cells by true class (rows) and predicted class (columns)."""
        import pandas as pd

        codes = list(self.figures["codes"])
        table = pd.DataFrame(self.figures["confusion"], index=codes, columns=codes)
        return table.rename_axis("truth").rename_axis("predicted", axis=1)

    def __str__(self) -> str:
        """The main scores in words, one a line."""
        named = [(name, self.interval(name)) for name in INTERVALS]
        lines = [
            f"{name.replace('_', ' ').replace('f1', 'F1')}: {score.in_words()}"
            for name, score in named
            if score is not None
        ]
        return "\n".join([f"{counted(self.n, 'cell')}, {self.level} intervals", *lines])


def evaluate(
    predictions: Table | Mapping[str, str],
    labels: Table | Mapping[str, str],
    *,
    severity: Table | Mapping[str, float] | None = None,
    train_counts: str | Path | Mapping[str, int] | pd.Series | None = None,
    patients: Table | Mapping[str, str] | None = None,
    prevalence: str | None = None,
    taxonomy: str = "auto",
    id_column: str | None = None,
    label_column: str | None = None,
) -> Scores:
    """Score predictions: macro-F1 with its interval, per class and by severity.

    The figures are those of `buffycoat evaluate`. How intervals are made, and what they cover:
    docs/honest-reporting.md.

    Args:
        predictions: What `predict` gave; a file that it wrote; or cell's name -> class.
        labels: True labels: a file or `DataFrame` with the cells' names and their classes, or
            cell's name -> class. The same cells as in `predictions`.
        severity: The same with `severity`, 0 (pristine) to 4: scores by degradation too.
        train_counts: Class -> training cells (as `value_counts()` gives them too), a bundle
            ("starter" or its folder), a JSON file of counts or the table of training labels: adds
            the prior-weighted macro-F1.
        patients: The same with `patient_id`: patients are resampled whole.
        prevalence: Class mix for predictive values, "SNE=60,LY=30,..."; None for that of training.
        taxonomy: "auto", "wbcbench", "pbc", "blood" or the path of a .toml file.
        id_column: Column of `labels` with the cells' names, where several may be meant.
        label_column: Column of `labels` with the classes, likewise.

    Returns:
        The scores. `print(scores)` shows the main ones.

    Raises:
        ManifestError: Lists every fault: a cell that only one of the tables has, an empty or double
            name, a missing column.
        TaxonomyError: A label is not in the taxonomy.
        ConfigError: A class mix that is none.

    Example:
        >>> truth = {f"{n}.png": ("SNE", "LY", "MO", "EO")[n % 4] for n in range(80)}
        >>> said = truth | {"0.png": "LY", "4.png": "MO"}
        >>> scores = evaluate(said, truth, taxonomy="pbc")
        >>> print(scores.accuracy.in_words())
        0.975 (0.913 to 0.997)
        >>> int(scores.confusion.loc["SNE", "MO"])
        1
    """
    import pandas as pd

    from buffycoat.evaluate import summary
    from buffycoat.evaluate.doubt import without_doubtful
    from buffycoat.evaluate.grain import restated
    from buffycoat.evaluate.scored import read_scored
    from buffycoat.evaluate.side_tables import (
        doubt_in,
        read_patients,
        read_severity,
        read_train_counts,
    )
    from buffycoat.fuse.prior import given
    from buffycoat.tables import read_rows

    with kept() as folder:

        def file(table: Table | Mapping[str, object], name: str, column: str) -> Path:
            return on_disk(table, folder / name, column)

        stated = file(predictions, "predictions", "label")
        scored = read_scored(
            stated, file(labels, "labels", "label"), taxonomy, id_column, label_column
        )
        codes, cell_ids = scored.taxonomy.codes, scored.cell_ids
        mix = None if prevalence is None else given(prevalence, codes)
        groups = (
            None
            if patients is None
            else read_patients(file(patients, "patients", "patient_id"), cell_ids)
        )
        if isinstance(train_counts, Mapping | pd.Series):
            counts = folder / "train_counts.json"
            pd.Series(dict(train_counts.items())).to_json(counts)
        else:
            counts = None if train_counts is None else _located(Path(train_counts))
        figures = summary.evaluate(
            scored.predicted if scored.probs is None else scored.probs,
            scored.targets,
            scored.taxonomy,
            train_counts=None
            if counts is None
            else restated(read_train_counts(counts, taxonomy), scored.taxonomy),
            severity=None
            if severity is None
            else read_severity(file(severity, "severity", "severity"), cell_ids),
            patients=groups,
            labels=scored.predicted,
            prevalence=None if mix is None else dict(zip(codes, mix.tolist(), strict=True)),
        )
        doubtful = doubt_in(read_rows(stated), cell_ids)
    if doubtful is not None:
        figures["without_doubtful"] = without_doubtful(
            scored.predicted, scored.targets, scored.taxonomy, doubtful, groups
        )
    return Scores(figures)


def _located(path: Path) -> Path:
    """The path, or the folder of the bundle that ships where that is meant."""
    from buffycoat.bundle.files import STARTER, locate

    return locate(path) if str(path) == STARTER and not path.exists() else path


def _flat(row: Mapping[str, object]) -> dict[str, object]:
    """A class's figures as a row: of its interval the two limits."""
    plain = {name: value for name, value in row.items() if name != "f1_interval"}
    interval = row["f1_interval"]
    ends = cast("dict[str, object]", interval) if isinstance(interval, dict) else {}
    return plain | {"f1_low": ends.get("low"), "f1_high": ends.get("high")}
