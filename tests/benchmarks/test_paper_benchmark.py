"""The full-size run of preset `paper`, in small: weights are found, cells read, memory watched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import paper, paper_weights
from buffycoat.backbones import weights
from buffycoat.backbones.build import build
from buffycoat.config import load
from buffycoat.errors import OutputError
from buffycoat.learn.needs import needs_of
from buffycoat.sources.read import read

SMALL = ["classify.backbone=tf_efficientnet_lite0.in1k", "embed.input_px=28"]
SIZES = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
}  # fmt: skip


def test_random_weights_lie_where_the_hub_s_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    config = load("paper", SMALL)
    paper_weights.write(tmp_path / "hf", config, SIZES)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(weights, "hub_problem", lambda: "offline")
    assert [need.remedy for need in needs_of(config)] == ["", "", ""]
    built = build(config.classify.backbone, "hub", 3, 32)
    assert built.source.startswith("timm/tf_efficientnet_lite0.in1k sha256:")


def test_a_cache_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with pytest.raises(OutputError, match="holds something else"):
        paper_weights.write(tmp_path, load("paper", SMALL), SIZES)


def test_a_few_cells_of_each_class_are_taken(rendered_cells: Path, tmp_path: Path) -> None:
    paper.write_cells(rendered_cells, tmp_path / "cells", 2, 1)
    found = read(tmp_path / "cells")
    learned = found.of_split("train").frame["label"].value_counts()
    assert set(learned) == {2}
    assert len(found.of_split("eval")) == len(learned)
    assert (found.frame["severity"] == 0).any()


PRINTS = """
import time
print("[one] begins", flush=True)
held = b'x' * (80 << 20); time.sleep(0.5); del held
print("[two] begins", flush=True)
time.sleep(0.5)
print("[two] done", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_belongs_to_its_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "RUN", PRINTS)
    monkeypatch.setattr(paper, "SECONDS_BETWEEN_LOOKS", 0.05)
    table = tmp_path / "stages.csv"
    paper.watch([], tmp_path, tmp_path / "log", lambda stages: paper.write_stages(table, stages))
    rows = {line.split(",")[0]: line.split(",") for line in table.read_text().splitlines()[1:]}
    assert int(rows["one"][3]) > int(rows["two"][3]) + 60
    monkeypatch.setattr(paper, "RUN", "raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError):
        paper.watch([], tmp_path, tmp_path / "log", lambda stages: None)
