from __future__ import annotations

import numpy as np
import pytest

from buffycoat import config
from buffycoat.errors import OutputError
from buffycoat.learn import prepare
from buffycoat.learn.fit_classifier import recipe_key
from buffycoat.learn.stage_store import StageStore, gather


class CountedStage:
    def __init__(self, fails: bool = False) -> None:
        self.runs = 0
        self.fails = fails

    def __call__(self, folder):
        self.runs += 1
        if self.fails:
            raise KeyboardInterrupt
        return {"double": np.arange(3) * 2}, {"note": "done"}


def test_a_stage_runs_once_and_again_when_its_inputs_change(tmp_path):
    store = StageStore(tmp_path)
    stage = CountedStage()
    first = store.run("s", {"epochs": 1}, stage)
    again = store.run("s", {"epochs": 1}, stage)
    assert stage.runs == 1
    assert np.array_equal(again.arrays["double"], [0, 2, 4])
    assert again.values == {"note": "done"}
    other = store.run("s", {"epochs": 2}, stage)
    assert stage.runs == 2
    assert first.key == again.key != other.key


def test_rows_of_arrays_are_gathered_in_the_stage_s_own_file(tmp_path):
    first, second = np.arange(1200).reshape(600, 2), np.arange(10).reshape(5, 2) - 10
    parts = [(first, np.arange(0, 600, 2)), (second, np.array([4, 0]))]
    store = StageStore(tmp_path)
    found = store.run("s", {}, lambda folder: ({"a": gather(folder / "a.npy", parts)}, {}))
    assert np.array_equal(found.arrays["a"], np.concatenate([first[::2], second[[4, 0]]]))
    assert sorted(path.name for path in found.folder.iterdir()) == ["a.npy", "done.json"]


def test_a_killed_stage_is_not_taken_for_done(tmp_path):
    store = StageStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        store.run("s", {}, CountedStage(fails=True))
    stage = CountedStage()
    store.run("s", {}, stage)
    assert stage.runs == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        StageStore(tmp_path / "file").run("s", {}, CountedStage())


def test_another_result_of_the_same_inputs_has_another_key(tmp_path):
    keys = [
        StageStore(tmp_path / name).run("s", {}, lambda _, a=array: ({"a": a}, {})).key
        for name, array in (("one", np.zeros(3)), ("two", np.ones(3)), ("again", np.zeros(3)))
    ]
    assert keys[0] == keys[2] != keys[1]


def test_a_file_of_weights_counts_by_its_bytes_and_not_by_its_path(tmp_path):
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    a, b, c, none = (
        config.load("cpu", [f"{section}.weights={weights}" for section in ("classify", "segment")])
        for weights in (*(tmp_path / name for name in "abc"), "random")
    )
    for key in (recipe_key, prepare.segment_key):
        assert key(a) == key(b) != key(c) != key(none)
