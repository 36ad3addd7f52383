from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from buffycoat.errors import TaxonomyError
from buffycoat.taxonomy import BLOOD, PBC, WBCBENCH, CellClass, Taxonomy, read_labels, resolve

OWN = """
name = "own"
[[classes]]
code = "LY"
name = "lymphocyte"
lineage = "lymphoid"
[[classes]]
code = "SMU"
name = "smudge cell"
lineage = "other"
is_leukocyte = false
"""


def test_wbcbench_has_its_13_classes_in_order() -> None:
    assert " ".join(WBCBENCH.codes) == "SNE LY MO BL EO MY BA BNE VLY MMY PMY PC PLY"
    names = {cell.code: cell.name for cell in WBCBENCH.classes}
    assert (names["PC"], names["PLY"]) == ("plasma cell", "prolymphocyte")


def test_the_erythroblast_is_in_pbc_and_is_no_leukocyte() -> None:
    assert len(PBC) == 10
    assert [cell.code for cell in PBC.classes if not cell.is_leukocyte] == ["ERB"]


def test_maturation_orders_the_granulocytic_line() -> None:
    stage = {cell.code: cell.maturation for cell in WBCBENCH.classes}
    line = [stage[code] for code in ("PMY", "MY", "MMY", "BNE", "SNE")]
    assert line == sorted(line)
    assert len(set(line)) == 5


def test_encode_gives_columns_and_names_every_unknown_label() -> None:
    assert PBC.encode(["SNE", "PMY", "LY"]).tolist() == [0, 9, 1]
    assert PBC.encode([]).dtype == np.int64
    with pytest.raises(TaxonomyError, match=r"no class of taxonomy 'pbc' [^:]*:\n  'PC'\n  'XX'"):
        PBC.encode(["SNE", "XX", "PC", "XX"])


def test_auto_takes_the_smallest_that_holds_the_labels() -> None:
    assert resolve("auto", ["SNE", "ERB"]) is PBC
    assert resolve("auto", ["SNE", "PLY"]) is WBCBENCH
    assert resolve("auto", ["SNE", "LY"]) is PBC
    assert resolve("auto", ["ERB", "PLY"]) is BLOOD
    assert resolve("auto", ["NE", "LY"]) is PBC
    with pytest.raises(TaxonomyError, match="did you mean 'lymphocyte'"):
        resolve("auto", ["ERB", "lymphocite"])


def test_a_named_taxonomy_must_hold_the_labels() -> None:
    assert resolve("wbcbench", ["SNE"]) is WBCBENCH
    with pytest.raises(TaxonomyError, match=r"no class of taxonomy 'wbcbench' [^:]*:\n  'ERB'"):
        resolve("wbcbench", ["ERB"])
    with pytest.raises(TaxonomyError, match=r"unknown taxonomy 'wbc'. Options: auto, pbc"):
        resolve("wbc", [])


def test_a_users_own_taxonomy_round_trips(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    own = resolve(str(path), ["SMU", "LY"])
    assert own.codes == ("LY", "SMU")
    assert not own.classes[1].is_leukocyte
    table = own.to_dict()
    assert Taxonomy.from_dict(table) == own
    table["classes"][0]["code"] = "changed"  # type: ignore[index]
    assert own.codes == ("LY", "SMU")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('code = "SMU"', 'code = "LY"', "names a class twice: LY"),
        ('code = "SMU"', "code = 3", "class 3: code is 3, expected text"),
        ('code = "SMU"', 'code = ""', "code is '', expected text"),
        ('code = "SMU"', 'code = "S U"', "no space and no comma"),
        ('code = "SMU"', 'kode = "SMU"', "each class takes code, name, lineage"),
        ("is_leukocyte = false", 'is_leukocyte = "no"', "expected a bool"),
        ("is_leukocyte = false", 'maturation = "late"', "expected a number"),
        ("[[classes]]", "[[class]]", "expected a list"),
        ('name = "own"', "name = own", "not a readable taxonomy file"),
    ],
)
def test_a_malformed_taxonomy_says_what_is_wrong(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace(old, new))
    with pytest.raises(TaxonomyError, match=message):
        Taxonomy.from_toml(path)


def test_a_missing_file_and_a_single_class_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"gone.toml: not a readable"):
        resolve(str(tmp_path / "gone.toml"), [])
    with pytest.raises(TaxonomyError, match="has 1 class;"):
        Taxonomy("one", (CellClass("LY", "lymphocyte", "lymphoid"),))


def test_bands_follow_the_share_of_cells() -> None:
    bands = WBCBENCH.bands({"SNE": 890, "LY": 100, "MO": 90, "PLY": 2})
    assert (bands["SNE"], bands["MO"], bands["PLY"], bands["PC"]) == (
        "head",
        "medium",
        "tail",
        "tail",
    )
    assert set(WBCBENCH.bands({}).values()) == {"tail"}


def test_neighbours_follow_the_maturation_line_and_skip_what_is_missing() -> None:
    def pairs(taxonomy: Taxonomy) -> set[frozenset[str]]:
        return {
            frozenset((taxonomy.codes[i], taxonomy.codes[j]))
            for i, j in np.argwhere(taxonomy.neighbours())
        }

    line = ["PMY", "MY", "MMY", "BNE", "SNE"]
    assert pairs(PBC) == {frozenset(pair) for pair in pairwise(line)}
    without = Taxonomy("short", tuple(cell for cell in PBC.classes if cell.code != "MMY"))
    assert frozenset(("MY", "BNE")) in pairs(without)
    assert np.array_equal(PBC.neighbours(), PBC.neighbours().T)


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("sne", "SNE"), ("neutrophil_segmented", "SNE"), ("Segmented Neutrophils", "SNE"),
        ("band neutrophil", "BNE"), ("BandNeutrophil", "BNE"), ("band_cells", "BNE"),
        ("Lymphocyte", "LY"), ("01-Lymphocytes", "LY"), ("BA - Basophil", "BA"), ("eosi", "EO"),
        ("neutrophil", "NE"), ("NEUTROPHIL", "NE"), ("Neutrophil granulocyte", "NE"),
        ("ig", "IG"), ("Immature granulocytes", "IG"), ("plasma_cell", "PC"), ("NRBC", "ERB"),
        ("lymphocyte_reactive", "VLY"), ("Myeloblast", "BL"), ("metamyelocyte", "MMY"),
    ],
)  # fmt: skip
def test_labels_are_read_in_the_spellings_of_data_sets(label: str, code: str) -> None:
    assert read_labels([label, "LY"]) == {label: code, "LY": "LY"}


@pytest.mark.parametrize(
    "label", ["platelet", "lymphocyte_neoplastic", "Large Lymph", "mixt", "images", "patient7", "7"]
)
def test_what_means_no_class_for_sure_is_left_as_it_is(label: str) -> None:
    assert read_labels([label]) == {label: label}


def test_codes_of_one_data_set_are_read_only_where_all_labels_are_its_codes() -> None:
    assert read_labels(["NGS", "MYO", "MYB"]) == {"NGS": "SNE", "MYO": "BL", "MYB": "MY"}
    assert read_labels(["SNE", "MYO"])["MYO"] == "MYO"


def test_an_unknown_label_comes_with_a_remedy_that_works() -> None:
    with pytest.raises(TaxonomyError, match=r"--leave-out 'smudge cell'"):
        resolve("auto", ["SNE", "smudge cell"])


def test_a_users_aliases_and_groups_are_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        OWN.replace('name = "lymphocyte"', 'name = "lymphocyte"\naliases = ["small one"]')
        + '[[groups]]\ncode = "ANY"\nname = "any cell"\nmembers = ["LY", "SMU"]\n'
    )
    assert read_labels(["Small-One", "any cell"], str(path)) == {
        "Small-One": "LY",
        "any cell": "ANY",
    }
    own = resolve(str(path), ["LY", "ANY"])
    assert own.members == {"LY": (0,), "SMU": (1,), "ANY": (0, 1)}
    assert Taxonomy.from_dict(own.to_dict()) == own
    path.write_text(path.read_text().replace('"SMU"]', '"XX"]'))
    with pytest.raises(TaxonomyError, match="group 'ANY': 'XX' is no class here"):
        Taxonomy.from_toml(path)


def test_what_two_classes_share_names_neither(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\n'
        + "".join(
            f'[[classes]]\ncode = "T{n}"\nname = "blast type {n}"\nlineage = "blast"\n'
            for n in (1, 2)
        )
    )
    labels = ["blast_type_2", "Blast Type 1", "blast type"]
    assert list(read_labels(labels, str(path)).values()) == ["T2", "T1", "blast type"]
    path.write_text(path.read_text().replace('"blast type 2"', '"blast type 1"'))
    with pytest.raises(TaxonomyError, match="is a name of 'T1' and of 'T2'"):
        read_labels(labels, str(path))
