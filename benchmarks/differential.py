"""Do a differential's limits cover the truth, and does it find immature granulocytes and blasts?

    python -m benchmarks.differential PREDICTIONS LABELS --patients 300 --out runs/differential.json
    python -m benchmarks.differential --rendered 80 --out runs/differential-rendered.json

PREDICTIONS and LABELS are of cells that the model has not learned from. No patients are known, so
patients are simulated, and every table says so: those cells stand for the population of each class.
A patient is a mix of classes and a count of cells drawn from the population by that mix, with the
calls that the model made. The labelled cells for calibration are drawn from the population anew for
each patient, as many a class as there are (or --calibration-cells). So the limits are asked to
cover that few cells were counted and that few say how the model errs; they are not asked to cover
that a new slide is stained or photographed otherwise. With --calibration the calibration is one
given table instead, a run's out_of_fold.parquet, whose models err in a way of their own.

There are no blasts among the real cells at hand. With --rendered the population is so many drawn
cells a class, called by their nearest class mean in the starter's frozen embeddings, fitted on as
many others: it shows what the count does to blasts, not how a model tells them.
This only reports; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.rendered_calls import rendered_population

from buffycoat.errors import ShapeError
from buffycoat.evaluate.class_table import too_few
from buffycoat.evaluate.differential import BLAST, IMMATURE, differential, parts_of
from buffycoat.evaluate.interval import NOT_ESTIMABLE
from buffycoat.evaluate.metrics import confusion
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.evaluate.scored import Scored, read_out_of_fold, read_scored
from buffycoat.images import write_atomic
from buffycoat.taxonomy import WBCBENCH, Taxonomy

SIMULATED = "simulated patients"
MIXES: Mapping[str, Mapping[str, float]] = {
    "healthy": {"SNE": 58, "LY": 29, "MO": 6, "EO": 3, "BNE": 3, "BA": 1},
    "lymphocytosis": {"SNE": 30, "LY": 55, "MO": 7, "EO": 3, "BNE": 2, "BA": 1, "VLY": 2},
    "eosinophilia": {"SNE": 45, "LY": 25, "MO": 6, "EO": 20, "BNE": 3, "BA": 1},
    "slight left shift": {
        "SNE": 62, "LY": 16, "MO": 7, "EO": 2, "BNE": 10, "BA": 1, "MMY": 1.5, "MY": 0.5,
    },
    "left shift": {
        "SNE": 48, "LY": 13, "MO": 6, "EO": 1, "BNE": 20, "BA": 1, "MMY": 6, "MY": 4, "PMY": 1,
        "ERB": 2,
    },
}  # fmt: skip
"""Invented, to span what a laboratory meets; percent, scaled to 100 over the classes there are."""
BLAST_MIXES: Mapping[str, Mapping[str, float]] = {
    "few blasts": {"SNE": 40, "LY": 40, "MO": 10, "EO": 2, "BNE": 4, "MY": 1, "BL": 3},
    "many blasts": {"SNE": 15, "LY": 20, "MO": 8, "BNE": 4, "MY": 2, "PMY": 1, "BL": 50},
}
"""The same, where there are cells for blasts."""
SPREAD = 150.0
"""Patients vary round a mix as a Dirichlet with so many pseudo-cells."""
COUNTS = (100, 200, 500)
"""Cells counted; 100 and 200 are what people count, 500 what a scanner does."""


@dataclass(frozen=True, eq=False)
class Patients:
    """Simulated patients, counted.

    Attributes:
        kind: Shape (n,), name of the mix.
        truth: Shape (n, m), true figures of the parts, per 100 leukocytes.
        raw: Shape (n, m, 3), value and limits as called.
        adjusted: Shape (n, m, 3), the same with errors taken out; NaN where not estimable.
    """

    kind: np.ndarray
    truth: np.ndarray
    raw: np.ndarray
    adjusted: np.ndarray


def simulate(
    population: np.ndarray,
    taxonomy: Taxonomy,
    n_patients: int,
    n_cells: int,
    n_calibration: int | None = None,
    seed: int = 0,
    calibration: np.ndarray | None = None,
) -> Patients:
    """Draw patients and count them.

    Args:
        population: Shape (k, k), how often cells of each class are called each class.
        taxonomy: The classes.
        n_patients: Patients, of each mix in turn.
        n_cells: Cells counted on each.
        n_calibration: Labelled cells of each class; as many as in `population` if None.
        seed: Of all draws.
        calibration: Shape (k, k), labelled cells by their calls, for all patients; drawn from
            `population` anew for each if None.
    """
    rng = np.random.default_rng(seed)
    support = population.sum(axis=1)
    has_blasts = BLAST in taxonomy.codes and support[taxonomy.codes.index(BLAST)] > 0
    mixes = {**MIXES, **(BLAST_MIXES if has_blasts else {})}
    rates = population / np.maximum(support, 1)[:, None]
    parts, names = parts_of(taxonomy)
    kinds = np.array([list(mixes)[n % len(mixes)] for n in range(n_patients)])
    truth = np.empty((n_patients, len(names)))
    figures = np.full((2, n_patients, len(names), 3), np.nan)
    for patient, kind in enumerate(kinds):
        mix = _draw_mix(mixes[kind], taxonomy, support > 0, rng)
        truth[patient] = 100 * (parts @ mix) / mix[taxonomy.is_leukocyte].sum()
        table = calibration
        if table is None:
            labelled = support if n_calibration is None else np.minimum(support, 1) * n_calibration
            table = np.array(
                [
                    rng.multinomial(n, r) if n else 0 * r
                    for n, r in zip(labelled, rates, strict=True)
                ]
            )
        counts = rng.multinomial(n_cells, mix @ rates)
        calls = np.repeat(np.arange(len(taxonomy)), counts)
        rows = differential(
            calls, np.zeros(n_cells, int), taxonomy, table.astype(int), seed=patient
        )
        for part, row in enumerate(rows):
            for which, of in enumerate((row.raw, row.adjusted)):
                if of is not None:
                    figures[which, patient, part] = of.value, of.low, of.high
    return Patients(kinds, truth, figures[0], figures[1])


def coverage(patients: Patients, names: Sequence[str]) -> list[dict[str, Any]]:
    """How often the limits cover the true share, for each part: raw and adjusted.

    "where_present" counts only the patients who have any: of the others every lower limit of 0
    covers the truth.
    """
    rows = []
    for part, name in enumerate(names):
        row: dict[str, Any] = {"part": name, "data": SIMULATED, "n": len(patients.kind)}
        truth = patients.truth[:, part]
        row["n_present"] = int((truth > 0).sum())
        for label, of in (("raw", patients.raw), ("adjusted", patients.adjusted)):
            value, low, high = of[:, part].T
            is_known = np.isfinite(value) & np.isfinite(high)
            if not is_known.any():
                continue
            inside = (low - 1e-9 <= truth) & (truth <= high + 1e-9)
            row[f"{label}_n"] = int(is_known.sum())
            row[f"{label}_holds"] = float(inside[is_known].mean())
            present = is_known & (truth > 0)
            if present.any():
                row[f"{label}_holds_where_present"] = float(inside[present].mean())
            row[f"{label}_bias"] = float((value - truth)[is_known].mean())
            row[f"{label}_width"] = float((high - low)[is_known].mean())
        rows.append(row)
    return rows


def flags(
    patients: Patients, names: Sequence[str], threshold: float, flagged: str = IMMATURE
) -> list[dict[str, Any]]:
    """How well a part is flagged, by each of the figures that could do it."""
    if flagged not in names:
        return []
    part = list(names).index(flagged)
    by = {
        "raw": patients.raw[:, part, 0],
        "adjusted": patients.adjusted[:, part, 0],
        "upper limit, raw": patients.raw[:, part, 2],
        "upper limit, adjusted": patients.adjusted[:, part, 2],
    }
    truth = patients.truth[:, part]
    return [
        {"part": flagged, "by": name, "data": SIMULATED, **score_flag(truth, stated, threshold)}
        for name, stated in by.items()
        if not np.isnan(stated).any()
    ]


def score_flag(
    true_percent: np.ndarray, stated_percent: np.ndarray, threshold: float, level: float = 0.95
) -> dict[str, Any]:
    """How well a figure at or above a threshold tells patients whose true figure is.

    Args:
        true_percent: Shape (n,), of each patient.
        stated_percent: Shape (n,), raw, adjusted, or an upper limit, which flags all who cannot be
            ruled out.
        threshold: Percent of the leukocytes from which on a patient is flagged.
        level: Probability mass of the exact limits.

    Returns:
        `threshold`, `n_patients`, `n_positive`, `n_flagged`, and `sensitivity`, `specificity`,
        `ppv` and `npv`, each with `estimate`, `low`, `high` and `n`, or "not estimable" where too
        few patients are counted on. Predictive values hold at this share of positive patients.

    Raises:
        ShapeError: Not one figure a patient, or one of them is NaN.
    """
    true, stated = (np.asarray(part, dtype=float) for part in (true_percent, stated_percent))
    if true.shape != stated.shape or true.ndim != 1 or np.isnan([true, stated]).any():
        raise ShapeError(
            f"flag: expected one true and one stated percent a patient, none NaN; got shapes "
            f"{true.shape} and {stated.shape}"
        )
    is_ill, is_flagged = true >= threshold, stated >= threshold
    record: dict[str, Any] = {"threshold": threshold, "n_patients": len(true)}
    record |= {"n_positive": int(is_ill.sum()), "n_flagged": int(is_flagged.sum())}
    for name, right, among in (
        ("sensitivity", is_flagged, is_ill),
        ("specificity", ~is_flagged, ~is_ill),
        ("ppv", is_ill, is_flagged),
        ("npv", ~is_ill, ~is_flagged),
    ):
        record[name] = _share((right & among).sum(), among.sum(), level)
    return record


def _share(count: int, n: int, level: float) -> Mapping[str, float | int] | str:
    if too_few(int(n), int(n)):
        return NOT_ESTIMABLE
    low, high = clopper_pearson(int(count), int(n), level)
    return {"estimate": float(count / n), "low": float(low), "high": float(high), "n": int(n)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("predictions", type=Path, nargs="?")
    parser.add_argument("labels", type=Path, nargs="?")
    parser.add_argument("--rendered", type=int, help="cells a class to draw instead")
    parser.add_argument("--calibration", type=Path, help="a run's out_of_fold.parquet")
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument(
        "--calibration-cells", type=int, help="a class; default: as many as there are"
    )
    parser.add_argument(
        "--threshold", type=float, default=2.0, help="percent of immature granulocytes"
    )
    parser.add_argument("--blast-threshold", type=float, default=1.0, help="percent of blasts")
    parser.add_argument("--taxonomy", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if (options.labels is None) == (options.rendered is None):
        parser.error("give PREDICTIONS and LABELS, or --rendered")
    if options.rendered:
        taxonomy, population = WBCBENCH, rendered_population(options.rendered, options.seed)
    else:
        scored = read_scored(options.predictions, options.labels, options.taxonomy)
        taxonomy, population = scored.taxonomy, _confusion(scored)
    calibration = None
    if options.calibration:
        calibration = _confusion(read_out_of_fold(options.calibration, taxonomy.name))
    names = parts_of(taxonomy)[1]
    record: dict[str, Any] = {"data": SIMULATED, "population": population.tolist()}
    record |= {"codes": taxonomy.codes, "rendered": bool(options.rendered), "by_count": {}}
    record["calibration"] = None if calibration is None else calibration.tolist()
    for n_cells in COUNTS:
        found = simulate(
            population,
            taxonomy,
            options.patients,
            n_cells,
            options.calibration_cells,
            options.seed,
            calibration,
        )
        tables = {
            "coverage": coverage(found, names),
            "flags": flags(found, names, options.threshold)
            + flags(found, names, options.blast_threshold, BLAST),
        }
        record["by_count"][n_cells] = tables
        print(_markdown(n_cells, options, tables), flush=True)
    if options.out:
        write_atomic(options.out, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())


def _confusion(scored: Scored) -> np.ndarray:
    of = scored.taxonomy
    return confusion(of.encode(scored.targets), of.encode(scored.predicted), len(of))


def _draw_mix(
    mix: Mapping[str, float], taxonomy: Taxonomy, is_there: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A patient's mix, shape (k,); classes that the mix has not are truly absent."""
    share = np.array([mix.get(code, 0.0) for code in taxonomy.codes]) * is_there
    drawn = rng.standard_gamma(SPREAD * share / share.sum())
    return drawn / drawn.sum()


def _markdown(n_cells: int, options: argparse.Namespace, tables: Mapping[str, Any]) -> str:
    cells = " of rendered cells" if options.rendered else ""
    lines = [
        f"\n{options.patients} {SIMULATED}{cells}, {n_cells} cells counted on each; 95 % limits, "
        "per 100 leukocytes\n"
    ]
    lines += ["| part | raw holds | bias | width | adjusted holds | bias | width |", "|-" * 7 + "|"]
    for row in tables["coverage"]:
        figures = [
            f"{row.get(f'{of}_{what}', np.nan):{form}}"
            for of in ("raw", "adjusted")
            for what, form in (("holds", ".3f"), ("bias", "+.2f"), ("width", ".2f"))
        ]
        lines.append(f"| {row['part']} | " + " | ".join(figures) + " |")
    lines += [
        f"\nFlagged, {SIMULATED}{cells}\n",
        "| what | at least, % | by | positive | flagged | sensitivity | specificity | NPV |",
        "|-" * 8 + "|",
    ]
    for row in tables["flags"]:
        figures = [row["part"], f"{row['threshold']:g}", row["by"]]
        figures += [f"{row['n_positive']} of {row['n_patients']}", str(row["n_flagged"])]
        figures += [_words(row[key]) for key in ("sensitivity", "specificity", "npv")]
        lines.append("| " + " | ".join(figures) + " |")
    return "\n".join(lines)


def _words(of: Mapping[str, float] | str) -> str:
    if isinstance(of, str):
        return of
    return f"{of['estimate']:.3f} ({of['low']:.3f} to {of['high']:.3f})"


if __name__ == "__main__":
    main()
