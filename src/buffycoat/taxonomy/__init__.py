"""The only place with class order, names, spellings, lineage, maturation and LOINC codes."""

from buffycoat.taxonomy.built_in import BLOOD, BUILT_IN, PBC, WBCBENCH, read_labels, resolve
from buffycoat.taxonomy.classes import IMMATURE_GRANULOCYTES, CellClass, CellGroup
from buffycoat.taxonomy.clinical import clinical_order
from buffycoat.taxonomy.loinc import Loinc, loinc_of
from buffycoat.taxonomy.taxonomy import Band, Taxonomy

__all__ = [
    "BLOOD",
    "BUILT_IN",
    "IMMATURE_GRANULOCYTES",
    "PBC",
    "WBCBENCH",
    "Band",
    "CellClass",
    "CellGroup",
    "Loinc",
    "Taxonomy",
    "clinical_order",
    "loinc_of",
    "read_labels",
    "resolve",
]
