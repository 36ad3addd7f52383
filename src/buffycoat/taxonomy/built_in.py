"""The taxonomies that ship, and the choice of one by the labels in the data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from buffycoat.errors import TaxonomyError
from buffycoat.taxonomy.classes import GROUPS, KNOWN
from buffycoat.taxonomy.spelling import code_list_of
from buffycoat.taxonomy.taxonomy import Taxonomy


def _select(name: str, codes: str) -> Taxonomy:
    chosen = tuple(KNOWN[code] for code in codes.split())
    groups = tuple(group for group in GROUPS if {*group.members} <= {*codes.split()})
    return Taxonomy(name, chosen, groups)


WBCBENCH = _select("wbcbench", "SNE LY MO BL EO MY BA BNE VLY MMY PMY PC PLY")
"""WBCBench 2026, arXiv 2604.10797."""
PBC = _select("pbc", "SNE LY MO EO BNE MY BA MMY ERB PMY")
"""PBC, Acevedo et al. 2020, doi 10.17632/snkd93bnjr, with neutrophils and immature granulocytes
told apart."""
BLOOD = _select("blood", f"{' '.join(WBCBENCH.codes)} ERB")
"""All classes that are known here, for data sets with blasts and erythroblasts."""

BUILT_IN = {taxonomy.name: taxonomy for taxonomy in (PBC, WBCBENCH, BLOOD)}


def resolve(name: str, labels: Iterable[str]) -> Taxonomy:
    """The taxonomy of that name.

    Args:
        name: "wbcbench", "pbc", "blood", a path to a TOML file, or "auto": the built-in taxonomy
            with the fewest classes that holds all of `labels`.
        labels: Codes of classes and groups in the data, as `read_labels` gives them.

    Raises:
        TaxonomyError: No such taxonomy, or it lacks a class that the data holds.
    """
    present = set(labels)
    if name == "auto":
        fitting = [t for t in BUILT_IN.values() if not t.lacks(present)]
        nearest = min(fitting or BUILT_IN.values(), key=lambda t: (len(t.lacks(present)), len(t)))
    else:
        nearest = named(name)
    if nearest.lacks(present):
        raise nearest.unknown(nearest.lacks(present))
    return nearest


def named(name: str) -> Taxonomy:
    """A built-in taxonomy, or one from a TOML file.

    Raises:
        TaxonomyError: No such taxonomy, or a file that is no taxonomy.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name.endswith(".toml"):
        return Taxonomy.from_toml(Path(name))
    raise TaxonomyError(
        f"unknown taxonomy {name!r}. Options: auto, {', '.join(BUILT_IN)}, or a .toml file"
    )


def read_labels(labels: Iterable[str], name: str = "auto") -> dict[str, str]:
    """What labels mean: their codes.

    Args:
        labels: As they stand in the data, in any spelling.
        name: Of the taxonomy, as in `resolve`.

    Returns:
        Label -> code of a class or group; what means none is left as it is.
    """
    present = list(dict.fromkeys(labels))
    own = code_list_of(present)
    spelling = for_reading(name).spelling
    meant = {label: own.get(label, label) for label in present}
    return {label: spelling.find(name) or name for label, name in meant.items()}


def for_reading(name: str) -> Taxonomy:
    """The taxonomy whose names are looked for in data: with "auto", all that are known."""
    return BLOOD if name == "auto" else named(name)
