"""Read what each wrong label costs, from a small file that a person writes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.errors import ConfigError, ManifestError
from buffycoat.tables import read_rows, to_number

SUFFIXES = (".csv", ".toml")
TRUTH = "truth"
DEFAULT = "default"
FORMS = (
    "A .csv has the column truth and one for each class, and a row for each class. A .toml says "
    "what differs from default = 1, a table for each true class: [PMY], then SNE = 20"
)
Cells = dict[tuple[str, str], Any]
"""True class, decision -> cost as it stands in the file."""


def read_costs(path: Path, codes: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Cost of each decision for each true class.

    Args:
        path: .csv with all of them; or .toml with those that differ from its `default` (1 where it
            states none), in which the right label costs 0 unless it is stated too.
        codes: Classes in column order, k of them.

    Returns:
        k rows, the truth, of k numbers, the decision.

    Raises:
        ConfigError: Not readable; or lists every class that is unknown, every cost that is missing
            and every one that is no number >= 0.
    """
    try:
        cells = _read(path, codes)
    except (OSError, UnicodeDecodeError, ManifestError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: costs cannot be read ({error}). {FORMS}") from error
    faults = [f"{name!r} is no class here" for name in _unknown(cells, codes)]
    numbers = {pair: _number(value) for pair, value in cells.items()}
    faults += [
        f"{truth} called {decision}: {cells[truth, decision]!r}, expected a number >= 0"
        for (truth, decision), number in numbers.items()
        if np.isnan(number)
    ]
    costs = np.array([[numbers.get((truth, call), 0.0) for call in codes] for truth in codes])
    if not faults and not costs.any():
        faults.append("all costs are 0")
    if faults:
        raise ConfigError(f"{path}: {'; '.join(faults)}. Classes: {', '.join(codes)}. {FORMS}")
    return tuple(tuple(row) for row in costs.tolist())


def _read(path: Path, codes: Sequence[str]) -> Cells:
    """What the file states, with its default for what it does not; a CSV lacks nothing."""
    if path.suffix.lower() == ".csv":
        rows = read_rows(path, [TRUTH])
        twice = rows.column(TRUTH)
        if len(set(twice)) < len(twice):
            raise ManifestError("a true class has two rows")
        stated: Cells = {
            (row[TRUTH], name): value for _, row in rows for name, value in row.items()
        }
        stated = {pair: value for pair, value in stated.items() if pair[1] != TRUTH}
        return {(truth, call): "" for truth in codes for call in codes} | stated
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    default = table.pop(DEFAULT, 1)
    loose = [name for name, row in table.items() if not isinstance(row, dict)]
    if loose:
        raise ManifestError(f"{', '.join(loose)}: expected a table of a true class")
    wrong = {(truth, call): default for truth in codes for call in codes if truth != call}
    return wrong | {(truth, call): v for truth, row in table.items() for call, v in row.items()}


def _unknown(cells: Cells, codes: Sequence[str]) -> list[str]:
    names = dict.fromkeys(name for pair in cells for name in pair)
    return [name for name in names if name not in codes]


def _number(value: Any) -> float:
    """A cost, or NaN."""
    number = to_number(value) if isinstance(value, str) else value
    is_cost = isinstance(number, int | float) and not isinstance(number, bool)
    return float(number) if is_cost and np.isfinite(number) and number >= 0 else np.nan
