"""Figures of predictions on a site's labelled cells, at the grain of the site's own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.cells import Prediction
from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.metrics import balanced_accuracy, macro_f1
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.taxonomy import Taxonomy


@dataclass(frozen=True)
class SiteTypes:
    """The types that a site's labels tell apart.

    Attributes:
        codes: Of the classes and groups; no two share a class.
        members: The bundle's classes of each, shape (t, k), bool.
    """

    codes: tuple[str, ...]
    members: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[str], taxonomy: Taxonomy) -> SiteTypes:
        """Of a site's labels; a label within a group that is a label too counts as the group.

        Args:
            labels: Codes of classes and groups.
            taxonomy: Holds all of them.
        """
        widest_first = sorted(set(labels), key=lambda code: -len(taxonomy.members[code]))
        chosen: list[str] = []
        for code in widest_first:
            taken = {column for one in chosen for column in taxonomy.members[one]}
            if not taken & {*taxonomy.members[code]}:
                chosen.append(code)
        codes = tuple(code for code in taxonomy.members if code in chosen)
        return cls(codes, taxonomy.allowed(codes))

    def of_labels(self, labels: Sequence[str], taxonomy: Taxonomy) -> np.ndarray:
        """Place in `codes` of each label, shape (n,)."""
        shared = taxonomy.allowed(labels).astype(int) @ self.members.T.astype(int)
        return shared.argmax(axis=1)


def score(
    found: Sequence[Prediction], types: np.ndarray, of: SiteTypes, codes: Sequence[str]
) -> dict[str, Any]:
    """Figures of predictions whose true types are known.

    "Forced" is the type of the largest summed probability. Kept is what the bundle does not abstain
    from, and right is then its own label. A set covers a cell if it holds a class of its type.

    Args:
        found: n predictions.
        types: Places in `of.codes`, shape (n,).
        of: The site's types.
        codes: The bundle's classes in column order.

    Returns:
        Shares with 95 % intervals, image-level.
    """
    probs = np.array([cell.probs for cell in found])
    forced = (probs @ of.members.T).argmax(axis=1)
    n_types = len(of.codes)
    drawn = resample(types, forced, n_types)
    accuracy = drawn.interval(lambda table: balanced_accuracy(table, "truth"))
    f1 = drawn.interval(lambda table: macro_f1(table, "truth"))
    columns = np.array([list(codes).index(cell.label) for cell in found])
    is_right = of.members[types, columns]
    kept = np.array([not cell.is_abstained for cell in found])
    low, high = clopper_pearson(int(is_right[kept].sum()), int(kept.sum()))
    sets = np.array([[code in cell.conformal_set for code in codes] for cell in found])
    is_covered = (sets & of.members[types]).any(axis=1)
    cover_low, cover_high = clopper_pearson(int(is_covered.sum()), len(found))
    recalls = {
        f"recall_{code}": float((forced == place)[types == place].mean())
        for place, code in enumerate(of.codes)
        if (types == place).any()
    }
    return {
        "n": len(found),
        "balanced_accuracy": accuracy.estimate,
        "balanced_accuracy_low": accuracy.low,
        "balanced_accuracy_high": accuracy.high,
        "macro_f1": f1.estimate,
        "macro_f1_low": f1.low,
        "macro_f1_high": f1.high,
        "kept": float(kept.mean()),
        "kept_right": float(is_right[kept].mean()) if kept.any() else np.nan,
        "kept_right_low": float(low),
        "kept_right_high": float(high),
        "coverage": float(is_covered.mean()),
        "coverage_low": float(cover_low),
        "coverage_high": float(cover_high),
        "set_size": float(sets.sum(axis=1).mean()),
        "recalls": " ".join(f"{name[7:]} {value:.2f}" for name, value in recalls.items()),
    }
