"""The benchmark of a GPU is tried where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import gpu


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    gpu.main([])
    assert "No CUDA device" in capsys.readouterr().out


def test_every_arm_runs_in_small(tmp_path: Path) -> None:
    gpu.main(["--tiny", "--out", str(tmp_path / "gpu.json")])
    arms = json.loads((tmp_path / "gpu.json").read_text())["arms"]
    assert len(arms) == 8
    assert all(arm["images_per_second"] > 0 for arm in arms.values())
