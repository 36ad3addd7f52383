"""Classes as a differential lists them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from buffycoat.taxonomy import BLOOD, BUILT_IN, PBC, Taxonomy, clinical_order
from buffycoat.taxonomy.clinical import CLINICAL_ORDER
from buffycoat.taxonomy.grain import coarsened


def codes(taxonomy: Taxonomy) -> list[str]:
    return [taxonomy.codes[column] for column in clinical_order(taxonomy)]


@pytest.mark.parametrize("taxonomy", BUILT_IN.values(), ids=lambda one: one.name)
def test_every_class_is_listed_once_and_granulocytes_by_maturation(taxonomy: Taxonomy) -> None:
    listed = codes(taxonomy)
    assert sorted(listed) == sorted(taxonomy.codes)
    stages = {cell.code: cell.maturation for cell in taxonomy.classes if cell.maturation}
    mature = [stages[code] for code in listed if code in stages]
    assert mature == sorted(mature)
    outside = [cell.code for cell in taxonomy.classes if not cell.is_leukocyte]
    assert listed[len(listed) - len(outside) :] == outside


def test_a_group_stands_where_its_members_would() -> None:
    listed = codes(coarsened(BLOOD, ["NE", "IG"]))
    assert listed[:4] == ["BL", "IG", "NE", "EO"]


def test_a_taxonomy_of_ones_own_keeps_its_order() -> None:
    own = replace(PBC, name="mine", classes=PBC.classes[::-1])
    assert codes(own) == [*own.codes]
    with_new = replace(PBC, classes=(replace(PBC.classes[0], code="X", name="x"), *PBC.classes[1:]),
                       groups=())  # fmt: skip
    assert codes(with_new) == [*with_new.codes]


def test_every_known_class_has_its_place() -> None:
    assert {*BLOOD.codes, *(group.code for group in BLOOD.groups)} == {*CLINICAL_ORDER}
