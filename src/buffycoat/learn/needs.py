"""What a training needs before it starts, in the words that `doctor` and `train` share."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from buffycoat.backbones.needed import FETCHED, Needed, of_backbone, of_extra
from buffycoat.backbones.weights import hub_problem
from buffycoat.bundle.files import locate
from buffycoat.config import Config, EmbedConfig, SegmentConfig
from buffycoat.embed import checkpoint
from buffycoat.errors import BundleError

CELLPOSE_LICENCE = "BSD-3-Clause, trained on CC BY-NC pictures"
CELLPOSE_MODELS = "CELLPOSE_LOCAL_MODELS_PATH"
"""Where Cellpose keeps its models, if the environment says."""


def needs_of(config: Config) -> list[Needed]:
    """Weights, packages and bundles that the settings name, and where each is.

    The hub is asked for what its cache lacks, unless `HF_HUB_OFFLINE` is set.

    Args:
        config: The settings.

    Raises:
        ConfigError: Settings that no file could satisfy.
    """
    recipe = config.classify
    found = of_backbone("classify", recipe.backbone, recipe.weights)
    found += _of_encoder(config.embed)
    found += _of_segmenter(config.segment)
    if config.restore.take_from:
        found.append(_of_bundle(config.restore.take_from))
    return found


def check(config: Config) -> None:
    """Refuse to start a training that lacks something.

    Args:
        config: The settings.

    Raises:
        MissingExtraError: An optional package is not installed.
        WeightsNotFoundError: Weights are missing.
        BundleError: The bundle that restoration is to be taken from is missing. The message lists
            all that is missing, whichever is raised.
    """
    missing = [need for need in needs_of(config) if need.remedy]
    if missing:
        lines = "\n".join(words(missing))
        raise missing[0].error(f"preset {config.preset!r} cannot be trained here:\n{lines}")


def words(missing: list[Needed]) -> list[str]:
    """A line for each thing that is missing, with what to do."""
    return [f"  {need.stage}: {need.what}: {need.remedy}" for need in missing]


def _of_encoder(config: EmbedConfig) -> list[Needed]:
    if config.encoder == "siglip":
        prepared = checkpoint.preprocessing_of(config.weights, config.preprocessing)
        return [
            of_extra("embed", "transformers", "embed"),
            checkpoint.needed("embed", config.weights, prepared == "checkpoint"),
        ]
    found = of_backbone("embed", config.encoder, config.weights)
    return found + ([of_extra("embed", "openvino", "fast")] if config.engine == "openvino" else [])


def _of_segmenter(config: SegmentConfig) -> list[Needed]:
    if config.method != "cellpose":
        return []
    extra = of_extra("segment", "cellpose", "cellpose")
    own = Path(os.environ.get(CELLPOSE_MODELS, Path.home() / ".cellpose" / "models"))
    for file in (Path(config.weights), own / config.weights):
        if file.is_file():
            return [extra, Needed("segment", config.weights, str(file), "", CELLPOSE_LICENCE)]
    problem = hub_problem()
    wanted = partial(Needed, "segment", config.weights, is_asked_for=True)
    if problem is None:
        return [extra, wanted(FETCHED, "", CELLPOSE_LICENCE)]
    remedy = (
        f"neither a file nor in {own}, and the hub does not give it ({problem}). Where there is a "
        "network, run: hf download mouseland/cellpose-sam --local-dir FOLDER; copy it over and "
        "give the file: --set segment.weights=FILE"
    )
    return [extra, wanted("", remedy, CELLPOSE_LICENCE)]


def _of_bundle(name: str) -> Needed:
    try:
        return Needed("restore", name, str(locate(name)))
    except BundleError as error:
        return Needed("restore", name, "", str(error), error=BundleError)
