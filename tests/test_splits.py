from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffycoat.errors import ConfigError, ShapeError
from buffycoat.splits import assign_folds, hold_out_sites


@settings(deadline=None, max_examples=60)  # a busy machine is not a failure
@given(
    cells=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=4, max_size=80),
    n_folds=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_every_cell_in_one_fold_and_no_patient_in_two(
    cells: list[tuple[int, int]], n_folds: int, seed: int
) -> None:
    targets = np.array([cell[0] for cell in cells])
    patients = np.array([f"patient {cell[1]}" for cell in cells], dtype=object)
    if len(set(patients)) < n_folds:
        with pytest.raises(ConfigError, match="patient"):
            assign_folds(targets, patients, n_folds, seed)
        return
    folds = assign_folds(targets, patients, n_folds, seed)
    assert folds.is_grouped
    assert folds.fold.shape == targets.shape
    assert set(folds.fold) == set(range(n_folds))
    for patient in set(patients):
        assert len(set(folds.fold[patients == patient])) == 1
    assert folds.table["cells"].sum() == len(cells)
    assert folds.table["patients"].sum() == len(
        {(f, t, p) for f, t, p in zip(folds.fold, targets, patients, strict=True)}
    )


@settings(deadline=None, max_examples=60)  # a busy machine is not a failure
@given(
    targets=st.lists(st.integers(0, 5), min_size=5, max_size=120),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_without_patients_each_class_and_the_whole_are_even(
    targets: list[int], n_folds: int, seed: int
) -> None:
    folds = assign_folds(np.array(targets), None, n_folds, seed)
    assert not folds.is_grouped
    assert np.ptp(np.bincount(folds.fold, minlength=n_folds)) <= 1
    assert folds.table.groupby("class")["cells"].agg(np.ptp).max() <= 1
    assert "image-level" in folds.notes[0]


def test_the_fold_of_a_patient_does_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    targets, patients = rng.integers(0, 4, 200), rng.integers(0, 30, 200).astype(str)
    first = assign_folds(targets, patients, 5, seed=3)
    order = rng.permutation(200)
    again = assign_folds(targets[order], patients[order], 5, seed=3)
    np.testing.assert_array_equal(again.fold, first.fold[order])


def test_the_seed_matters_and_repeats() -> None:
    targets = np.repeat([0, 1], 50)
    first, again = (assign_folds(targets, None, 5, seed=1).fold for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (assign_folds(targets, None, 5, seed=2).fold != first).any()


def test_cells_are_not_dealt_in_blocks_of_rows() -> None:
    fold = assign_folds(np.zeros(90, dtype=int), None, 3, seed=0).fold
    assert set(fold[:30]) == {0, 1, 2}
    assert (fold[:87] != fold[3:]).any()


def test_classes_are_as_even_as_whole_patients_allow() -> None:
    targets = np.tile([0] * 8 + [1] * 2, 12)
    patients = np.repeat(np.arange(12), 10)
    folds = assign_folds(targets, patients, 4, seed=0)
    assert set(folds.table.loc[folds.table["class"] == "0", "cells"]) == {24}
    assert set(folds.table["patients"]) == {3}
    assert folds.notes == ()


def test_rare_classes_are_spread_and_noted() -> None:
    targets = np.array([0] * 30 + [1] * 3 + [2])
    folds = assign_folds(targets, None, 5, seed=0, codes=("SNE", "PC", "PLY"))
    assert len(set(folds.fold[targets == 1])) == 3
    notes = " | ".join(folds.notes)
    assert "PC: 3 cells in 3 of 5 folds" in notes
    assert "PLY: 1 cell in 1 of 5 folds; the model of that fold trains on none" in notes
    assert "SNE" not in notes


def test_a_class_of_one_patient_is_noted() -> None:
    targets = np.array([0] * 30 + [1] * 11)
    patients = np.array([f"p{row % 6}" for row in range(30)] + ["p0"] * 11)
    folds = assign_folds(targets, patients, 3, seed=0, codes=("LY", "PLY"))
    assert folds.notes == (
        "PLY: 11 cells of 1 patient in 1 of 3 folds; "
        "the model of that fold trains on none, so its out-of-fold recall is 0",
    )


def test_patients_known_in_part_stay_whole_but_nothing_is_claimed() -> None:
    targets = np.zeros(20, dtype=int)
    patients = np.array(["a"] * 6 + ["b"] * 4 + [None] * 10, dtype=object)
    folds = assign_folds(targets, patients, 2, seed=0)
    assert not folds.is_grouped
    assert "known for 10 of 20 cells" in folds.notes[0]
    assert len(set(folds.fold[:6])) == len(set(folds.fold[6:10])) == 1
    assert np.bincount(folds.fold).tolist() == [10, 10]


def test_copies_of_a_photograph_are_in_one_fold_and_are_told() -> None:
    copies = np.repeat(np.arange(12), 7)
    targets = np.repeat(np.arange(3), 28)
    folds = assign_folds(targets, None, 4, seed=0, copies=copies)
    assert all(len(set(folds.fold[copies == one])) == 1 for one in range(12))
    assert folds.groups.tolist() == copies.tolist()
    assert not folds.is_grouped
    assert "12 photographs have copies: the 84 cells are kept together" in folds.notes[1]
    assert np.bincount(folds.fold, minlength=4).tolist() == [21] * 4


def test_patients_who_share_a_photograph_stay_together() -> None:
    patients = np.array(["a", "a", "b", "b", "c", "c", "d", "d"], dtype=object)
    copies = np.array([0, 1, 1, 2, 3, 4, 5, 6])
    folds = assign_folds(np.zeros(8, dtype=int), patients, 2, seed=0, copies=copies)
    assert len(set(folds.fold[:4])) == 1
    assert folds.groups.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert folds.is_grouped
    assert folds.notes[0].startswith("1 photograph has copies: the 2 cells")


def test_without_copies_nothing_changes() -> None:
    targets = np.arange(60) % 4
    plain = assign_folds(targets, None, 3, seed=2)
    folds = assign_folds(targets, None, 3, seed=2, copies=np.arange(60))
    assert folds.fold.tolist() == plain.fold.tolist()
    assert folds.notes == plain.notes


def test_too_few_photographs_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 photographs cannot fill 3 folds"):
        assign_folds(np.zeros(6, dtype=int), None, 3, 0, copies=np.array([0, 0, 0, 1, 1, 1]))
    with pytest.raises(ConfigError, match="all cells are of one photograph"):
        assign_folds(np.zeros(6, dtype=int), None, 3, 0, copies=np.zeros(6, dtype=int))


def test_impossible_folds_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 patients cannot fill 3 folds"):
        assign_folds(np.zeros(9, dtype=int), np.array(["a", "b", "b"] * 3), 3, 0)
    with pytest.raises(ConfigError, match="one patient"):
        assign_folds(np.zeros(9, dtype=int), np.array(["a"] * 9), 3, 0)
    with pytest.raises(ConfigError, match="2 cells cannot fill 3 folds"):
        assign_folds(np.zeros(2, dtype=int), None, 3, 0)
    with pytest.raises(ConfigError, match="at least 2"):
        assign_folds(np.zeros(9, dtype=int), None, 1, 0)
    with pytest.raises(ShapeError, match="3 patients for 9 cells"):
        assign_folds(np.zeros(9, dtype=int), np.array(["a", "b", "c"]), 3, 0)


def test_as_even_as_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(40), rng.integers(3, 40, 40))
    targets = (rng.random(len(patients)) < rng.random(40)[patients]).astype(int)

    def spread(fold: np.ndarray) -> float:
        shares = [
            np.bincount(fold[targets == t], minlength=5) / (targets == t).sum() for t in (0, 1)
        ]
        return float(np.std(shares, axis=1).mean())

    theirs = np.zeros(len(targets), dtype=int)
    splitter = StratifiedGroupKFold(5)
    for index, (_, held_out) in enumerate(splitter.split(targets, targets, patients)):
        theirs[held_out] = index
    ours = [spread(assign_folds(targets, patients, 5, seed).fold) for seed in range(5)]
    assert max(ours) < 2 * spread(theirs) + 0.01


def test_each_site_is_held_out_as_a_whole() -> None:
    targets = np.array([0, 1, 0, 1, 2, 3])
    sites = np.array(["b", "b", "a", "a", "a", "b"], dtype=object)
    folds = hold_out_sites(targets, sites, ["SNE", "LY", "MO", "NE"], n_classes=3)
    assert folds.fold.tolist() == [1, 1, 0, 0, 0, 1]
    assert folds.n_folds == 2
    assert "a 3, b 3" in folds.notes[0]
    assert any(note.startswith("MO") and "recall is 0" in note for note in folds.notes)
    assert not any(note.startswith("NE") for note in folds.notes)


def test_one_site_cannot_be_held_out() -> None:
    with pytest.raises(ConfigError, match=r"all cells are of site 'a'.*hold_out=cell"):
        hold_out_sites(np.array([0, 1]), np.array(["a", "a"]))


def test_a_photograph_at_two_sites_is_seen_by_both() -> None:
    with pytest.raises(ConfigError, match=r"1 photograph at two sites, such as a and b"):
        hold_out_sites(np.array([0, 1, 0]), np.array(["a", "a", "b"]), copies=np.array([5, 6, 5]))
