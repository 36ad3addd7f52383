"""The order in which a differential lists its classes for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffycoat.taxonomy.built_in import BUILT_IN

if TYPE_CHECKING:
    from buffycoat.taxonomy.taxonomy import Taxonomy

CLINICAL_ORDER = (
    "BL", "PMY", "MY", "MMY", "IG", "BNE", "SNE", "NE", "EO", "BA", "LY", "VLY", "PLY", "PC", "MO",
    "ERB",
)  # fmt: skip
"""Granulocytes by maturation, then the other leukocytes, last what is none. A group, which is a
class where labels are coarser, stands after its members."""


def clinical_order(taxonomy: Taxonomy) -> tuple[int, ...]:
    """Columns of a taxonomy in the order of a differential.

    Columns themselves are in the order of training, by which files and models are laid out. A
    taxonomy of one's own keeps the order that it states.

    >>> from buffycoat.taxonomy import PBC
    >>> [PBC.codes[column] for column in clinical_order(PBC)][:5]
    ['PMY', 'MY', 'MMY', 'BNE', 'SNE']
    """
    columns = range(len(taxonomy))
    if taxonomy.name not in BUILT_IN or not {*taxonomy.codes} <= {*CLINICAL_ORDER}:
        return tuple(columns)
    return tuple(sorted(columns, key=lambda column: CLINICAL_ORDER.index(taxonomy.codes[column])))
