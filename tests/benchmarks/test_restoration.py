from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import restoration, speed, stored, twins
from buffycoat.bundle import files
from buffycoat.errors import WeightsNotFoundError
from buffycoat.restore.apply import from_tensors


def test_every_method_is_measured_on_every_set(
    tiny_bundle: Path, twinned_cells: Path, tmp_path: Path
) -> None:
    fitted = files.read(tiny_bundle)
    other = from_tensors({"name": "identity"}, {})
    options = Namespace(
        data=twinned_cells, cache=tmp_path, limit=None, per_kind=2, restorers={"other": other}
    )
    found = restoration.measure(options, fitted)
    for name in ("eval_by_severity", "phase1_by_kind", "eval_by_kind"):
        methods = found[name]["all"]["methods"]
        assert list(methods) == [*restoration.UNTRAINED, "other", *restoration.OURS]
        assert methods["other"] == methods["identity"]
        assert methods["identity"]["share_changed"] == 0
    assert restoration.measure(options, fitted) == found


def test_the_gated_method_is_the_bundle_s_own_stage(tiny_bundle: Path, twinned_cells: Path) -> None:
    fitted = files.read(tiny_bundle)
    _, cells = twins.load_eval(twinned_cells, fitted.config, None)
    methods = restoration.gather(fitted, {})
    ungated, gated = (methods[name].apply(cells.degraded) for name in restoration.OURS)
    for given, free, stands in zip(cells.degraded, ungated, gated, strict=True):
        assert np.array_equal(stands, given) or np.array_equal(stands, free)


def test_a_restorer_in_a_folder_is_read_back_equal(tiny_bundle: Path, tmp_path: Path) -> None:
    restorer = files.read(tiny_bundle).restoration.restorer
    stored.write_restorer(tmp_path / "r", restorer)
    again = stored.read_restorer(tmp_path / "r")
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    assert np.array_equal(again.restore(images), restorer.restore(images))
    assert stored.restorer_key(again) == stored.restorer_key(restorer)


def test_a_folder_without_a_restorer_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="train_restorer DATA"):
        stored.read_restorer(tmp_path)


def test_a_race_times_every_method_in_every_round() -> None:
    seen: list[tuple[str, int]] = []
    methods = {name: lambda images, n=name: seen.append((n, len(images))) for name in "ab"}
    rates = speed.race(methods, np.zeros((9, 4, 4, 3), dtype=np.uint8), rounds=2)
    assert {name: len(values) for name, values in rates.items()} == {"a": 2, "b": 2}
    warm = speed.WARM_UP
    assert seen == [("a", warm), ("b", warm), ("a", 9), ("b", 9), ("a", 9), ("b", 9)]
