"""Labels coarser than a class: how their cells are shared, and when a group is a class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffycoat.errors import TaxonomyError
from buffycoat.taxonomy import PBC, CellClass, CellGroup, Taxonomy, resolve
from buffycoat.taxonomy.grain import at_grain_of, class_shares, coarsened, expected_counts

FIVE = "NE LY MO EO BA".split()


def test_a_label_allows_its_class_or_the_classes_of_its_group() -> None:
    allowed = PBC.allowed(["LY", "NE", "IG"])
    named = [[PBC.codes[c] for c in np.flatnonzero(row)] for row in allowed]
    assert [set(row) for row in named] == [{"LY"}, {"SNE", "BNE"}, {"PMY", "MY", "MMY"}]
    assert PBC.is_fine(["LY", "NE"]).tolist() == [True, False]


def test_a_group_is_refused_where_a_class_is_needed() -> None:
    with pytest.raises(TaxonomyError, match=r"several classes.*NE"):
        PBC.encode(["LY", "NE"])


def test_coarse_cells_are_shared_as_the_known_cells_of_the_group_are() -> None:
    counts = dict(
        zip(PBC.codes, expected_counts(PBC, {"SNE": 30, "BNE": 10, "LY": 7, "NE": 60}), strict=True)
    )
    assert counts["SNE"] == pytest.approx(75)
    assert counts["BNE"] == pytest.approx(25)
    assert counts["LY"] == 7
    assert counts["EO"] == 0


def test_a_class_without_a_known_cell_gets_none_and_an_unknown_group_is_shared_evenly() -> None:
    counts = dict(
        zip(PBC.codes, expected_counts(PBC, {"MY": 3, "MMY": 1, "IG": 8, "NE": 4}), strict=True)
    )
    assert [counts[code] for code in ("PMY", "MY", "MMY")] == pytest.approx([0, 9, 3])
    assert [counts[code] for code in ("SNE", "BNE")] == pytest.approx([2, 2])


@given(st.lists(st.integers(1, 50), min_size=5, max_size=5))
def test_shares_of_overlapping_groups_are_the_most_likely(n: list[int]) -> None:
    """No small move of the class mix makes the labels likelier."""
    allowed = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]], dtype=bool)
    counts = np.array(n, dtype=float)
    shares = class_shares(counts, allowed)
    assert shares.sum(axis=1) == pytest.approx(np.ones(5))
    mix = counts @ shares / counts.sum()

    def likelihood(mix: np.ndarray) -> float:
        return float(counts @ np.log(allowed @ mix))

    for one, other in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
        moved = mix.copy()
        moved[one] += 1e-3 * moved[other]
        moved[other] *= 1 - 1e-3
        assert likelihood(moved) <= likelihood(mix) + 1e-9


def test_a_five_class_set_has_neutrophils_as_a_class() -> None:
    taxonomy = at_grain_of(resolve("auto", FIVE), FIVE)
    assert taxonomy.codes == ("NE", "LY", "MO", "EO", "MY", "BA", "MMY", "ERB", "PMY")
    assert {g.code for g in taxonomy.groups} == {"IG"}
    neutrophil = taxonomy.classes[0]
    assert (neutrophil.name, neutrophil.lineage, neutrophil.maturation) == (
        "neutrophil",
        "granulocytic",
        None,
    )
    assert neutrophil.is_leukocyte
    # A finer label is read as the class that it is part of.
    assert [taxonomy.spelling.find(name) for name in ("SNE", "BNE", "band", "neut")] == ["NE"] * 4
    assert Taxonomy.from_dict(taxonomy.to_dict()) == taxonomy


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("SNE BNE NE LY", {"SNE", "BNE"}),  # both are known: nothing changes
        ("SNE NE LY", {"NE"}),  # one is known: nothing tells it from the other
        ("SNE LY", {"SNE", "BNE"}),  # no cell is labelled with the group
        ("MY MMY IG LY", {"SNE", "BNE", "PMY", "MY", "MMY"}),  # two of three are known
        ("PMY IG LY", {"SNE", "BNE", "IG"}),
    ],
)
def test_a_group_is_a_class_where_fewer_than_two_of_its_classes_are_known(
    labels: str, expected: set[str]
) -> None:
    codes = at_grain_of(PBC, labels.split()).codes
    assert expected <= set(codes)
    assert len(set(codes)) == len(codes)
    assert not ({"NE"} & expected and {"SNE", "BNE"} & set(codes))


NESTED = Taxonomy(
    "nested",
    tuple(CellClass(code, code.lower(), "x") for code in "ABCD"),
    (CellGroup("AB", "ab", ("A", "B")), CellGroup("ABC", "abc", ("A", "B", "C"))),
)


def test_a_group_within_a_group_is_a_class_of_it() -> None:
    assert at_grain_of(NESTED, ["AB", "C", "ABC", "D"]).codes == ("AB", "C", "D")
    assert at_grain_of(NESTED, ["AB", "C", "ABC", "D"]).members["ABC"] == (0, 1)
    whole = at_grain_of(NESTED, ["ABC", "D"])
    assert whole.codes == ("ABC", "D")
    assert whole.spelling.find("AB") == "ABC"


def test_groups_that_cross_are_refused() -> None:
    groups = (CellGroup("AB", "ab", ("A", "B")), CellGroup("BC", "bc", ("B", "C")))
    crossing = Taxonomy("crossing", NESTED.classes, groups)
    with pytest.raises(TaxonomyError, match="--leave-out"):
        coarsened(crossing, ["AB", "BC"])
