"""The classes of white cells and their groups, with the names that data sets give them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CellClass:
    """One class of cell.

    Attributes:
        code: Short code as it stands in label files, e.g. "SNE".
        name: Full name, e.g. "segmented neutrophil".
        lineage: "granulocytic", "lymphoid", "monocytic", "erythroid" or "blast".
        maturation: Stage within the lineage, 0 the least mature; None outside a maturation line.
        is_leukocyte: Whether the cell counts in a leukocyte differential.
        aliases: Other names of the class in label files, in any case; see `spelling`.
    """

    code: str
    name: str
    lineage: str
    maturation: int | None = None
    is_leukocyte: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellGroup:
    """A label coarser than a class: the cell is of one of several classes.

    Attributes:
        code: Short code, e.g. "NE".
        name: Full name, e.g. "neutrophil".
        members: Codes of its classes, two or more.
        aliases: Other names of the group in label files.
    """

    code: str
    name: str
    members: tuple[str, ...]
    aliases: tuple[str, ...] = ()


IMMATURE_GRANULOCYTES = ("PMY", "MY", "MMY")
"""Their sum is reported as one figure (as in Lu et al. 2022, doi 10.1007/s12308-022-00484-w); bands
and blasts are not among them."""

KNOWN = {
    cell.code: cell
    for cell in (
        CellClass(
            "SNE", "segmented neutrophil", "granulocytic", 5,
            aliases=("seg neutrophil",),
        ),
        CellClass("LY", "lymphocyte", "lymphoid", aliases=("lymph", "lymp", "lympho", "LYM")),
        CellClass("MO", "monocyte", "monocytic", aliases=("mono", "MON")),
        CellClass(
            "BL", "blast", "blast", 0, aliases=("myeloblast", "lymphoblast", "monoblast")
        ),
        CellClass("EO", "eosinophil", "granulocytic", aliases=("eos", "eosi", "eosino")),
        CellClass("MY", "myelocyte", "granulocytic", 2),
        CellClass("BA", "basophil", "granulocytic", aliases=("bas", "baso")),
        CellClass(
            "BNE", "band neutrophil", "granulocytic", 4,
            aliases=("band", "stab", "stab neutrophil", "rod neutrophil", "unsegmented neutrophil"),
        ),
        CellClass(
            "VLY", "variant lymphocyte", "lymphoid",
            aliases=("atypical lymphocyte", "reactive lymphocyte"),
        ),
        CellClass("MMY", "metamyelocyte", "granulocytic", 3),
        CellClass("PMY", "promyelocyte", "granulocytic", 1),
        CellClass("PC", "plasma cell", "lymphoid", aliases=("plasmocyte", "plasmacyte")),
        CellClass("PLY", "prolymphocyte", "lymphoid"),
        CellClass(
            "ERB", "erythroblast", "erythroid", is_leukocyte=False,
            aliases=("normoblast", "NRBC", "nucleated red blood cell", "nucleated erythrocyte"),
        ),
    )
}  # fmt: skip
"""Code -> class."""

GROUPS = (
    CellGroup("NE", "neutrophil", ("SNE", "BNE"), ("neut", "neutro", "PMN")),
    CellGroup(
        "IG", "immature granulocyte", IMMATURE_GRANULOCYTES,
        ("immature granulocytes", "immature granulocytic cell"),
    ),
)  # fmt: skip
"""Groups that data sets label: PBC's folders `neutrophil` and `ig`, and every five-class set."""

CODE_LISTS = {
    "AML-Cytomorphology_LMU (doi 10.7937/tcia.2019.36f5o9ld)": {
        "BAS": "BA", "EBO": "ERB", "EOS": "EO", "LYA": "VLY", "LYT": "LY", "MMZ": "MMY",
        "MOB": "BL", "MON": "MO", "MYB": "MY", "MYO": "BL", "NGB": "BNE", "NGS": "SNE",
        "PMB": "PMY", "PMO": "PMY", "KSC": "smudge cell",
    },
}  # fmt: skip
"""Codes of single data sets that say nothing outside of it: read so only where all labels are from
one list."""

NOT_CLASSES = (
    "platelet", "giant platelet", "large platelet", "thrombocyte", "platelet clump", "smudge cell",
    "smudge", "RBC", "red blood cell", "erythrocyte", "artefact", "artifact", "burst", "debris",
    "background", "unknown", "unidentified", "other", "others", "none", "not wbc", "no cell",
)  # fmt: skip
"""Labels that data sets give to what is no white cell: never mapped, only named in the remedy."""
