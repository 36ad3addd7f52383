"""Fixtures that several rooms share: real cells where they exist, and one small trained bundle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from buffycoat.config import Config

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the trained bundle go to one worker, so that it is trained once."""
    for item in items:
        if "tiny_bundle" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("tiny_bundle"))


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    """One thread a worker: the tests run side by side, and more threads wait for each other."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _shared(name: str) -> Path:
    root = Path(os.environ.get("BUFFYCOAT_SHARED", ROOT.parent / "shared"))
    folder = root / name
    if not folder.is_dir():
        pytest.skip(
            f"no real cells at {folder}; set BUFFYCOAT_SHARED to the folder that holds them"
        )
    return folder


@pytest.fixture(scope="session")
def pbc_lt() -> Path:
    """PBC-LT in WBCBench's Kaggle layout: real cells, ten classes, degraded."""
    return _shared("pbc-lt")


@pytest.fixture(scope="session")
def seg_wbc() -> Path:
    """Fifty real crops with expert nucleus and cytoplasm masks."""
    return _shared("seg-wbc")


@pytest.fixture(scope="session")
def fields_of_sites() -> Path:
    """Fields of view of four sites, with boxes."""
    return _shared("fields")


@pytest.fixture(scope="session")
def rendered_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered benchmark in WBCBench's Kaggle layout: 13 classes, a few cells each."""
    from buffycoat.simulate import render
    from buffycoat.taxonomy import WBCBENCH

    folder = tmp_path_factory.mktemp("rendered") / "cells"
    render.render_benchmark(
        folder,
        train_counts={code: 6 if column < 3 else 4 for column, code in enumerate(WBCBENCH.codes)},
        eval_per_class=1,
        test_per_class=1,
        seed=0,
        size_px=96,
    )
    return folder


SHRUNK = (
    "images.work_px=64",
    "restore.steps=2",
    "restore.train_px=32",
    "restore.batch_size=2",
    "restore.ssim_weight=0",
    "classify.input_px=32",
    "classify.folds=2",
    "classify.epochs=1",
    "classify.views=one",
    "embed.input_px=32",
    "embed.epochs=2",
    "refit.epochs=1",
    "refit.models=2",
)
"""The demo preset made so small that it trains in seconds; its figures mean nothing."""


@pytest.fixture(scope="session")
def tiny_overrides() -> tuple[str, ...]:
    """What `--set` takes to shrink the demo preset to seconds."""
    return SHRUNK


@pytest.fixture(scope="session")
def tiny_settings() -> Config:
    """The settings that `tiny_bundle` was trained with."""
    from buffycoat import config

    return config.load("demo", SHRUNK)


@pytest.fixture(scope="session")
def tiny_bundle(
    rendered_cells: Path, tiny_settings: Config, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bundle trained through the pipeline on `rendered_cells`, every stage at its smallest."""
    from buffycoat.learn import train

    return train.train(rendered_cells, tmp_path_factory.mktemp("run"), tiny_settings).bundle


SIGLIP_PX = 28


@pytest.fixture(scope="session")
def tiny_siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SigLIP with random weights, in transformers' own layout; takes `SIGLIP_PX`.

    Its images are prepared unlike MedSigLIP's: bicubic with antialiasing, by ImageNet's colours.
    """
    transformers = pytest.importorskip("transformers")
    import torch

    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = transformers.SiglipConfig(
        text_config={**sizes, "vocab_size": 99, "max_position_embeddings": 8},
        vision_config={**sizes, "image_size": SIGLIP_PX, "patch_size": 14},
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("siglip")
    transformers.SiglipModel(config).save_pretrained(folder)
    side = {"height": SIGLIP_PX, "width": SIGLIP_PX}
    transformers.SiglipImageProcessor(size=side, resample=3).save_pretrained(folder)
    return folder


BROWSERS = ("chromium-headless-shell", "chromium", "chrome-headless-shell", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium, driven by Playwright: one in a process, which runs one loop of Playwright's."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    named = os.environ.get("BUFFYCOAT_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)}, and BUFFYCOAT_CHROMIUM is not set")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
