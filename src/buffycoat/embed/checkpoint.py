"""Checkpoints of SigLIP encoders: where their files are, what they may be used for, their size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from buffycoat.backbones.needed import Needed, of_hub
from buffycoat.backbones.weights import cached, how_to_fetch

MEDSIGLIP = "google/medsiglip-448"
LICENCES = {
    MEDSIGLIP: "Health AI Developer Foundations terms of use "
    "(https://developers.google.com/health-ai-developer-foundations/terms)"
}
"""Repository -> terms of its weights, where they are not simply open."""
BILINEAR = "bilinear"
"""Bilinear without antialiasing, pixels to -1..1: what MedSigLIP's authors do with TensorFlow
(arXiv 2507.05201), and the paper with MedSigLIP (arXiv 2603.16249)."""
CONFIG, WEIGHTS, PREPROCESSING = "config.json", "model.safetensors", "preprocessor_config.json"


@dataclass(frozen=True)
class ImageTower:
    """Sizes of a vision transformer with attention pooling.

    Attributes:
        hidden_size: Width of a token, d.
        intermediate_size: Of the perceptron in a layer, m.
        num_hidden_layers: Layers.
        image_size: Side of the input, px.
        patch_size: Side of a patch, px.
    """

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    image_size: int = 224
    patch_size: int = 16

    @property
    def tokens(self) -> int:
        """Patches of an image."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def parameters(self) -> int:
        """Weights; biases and norms, a thousandth of them, are left out."""
        layer = 4 * self.hidden_size**2 + 2 * self.hidden_size * self.intermediate_size
        outside = self.hidden_size * (3 * self.patch_size**2 + self.tokens)
        return (self.num_hidden_layers + 1) * layer + outside  # the pooling is one layer more

    @property
    def flops(self) -> float:
        """Floating-point operations for an image."""
        layer = 4 * self.hidden_size**2 + 2 * self.hidden_size * self.intermediate_size
        attention = 2 * self.tokens * self.hidden_size
        return 2.0 * self.num_hidden_layers * self.tokens * (layer + attention)


KNOWN = {MEDSIGLIP: ImageTower(1152, 4304, 27, 448, 14)}
"""Sizes of checkpoints that may not be here yet; so400m of arXiv 2305.13035."""


def preprocessing_of(weights: str, wanted: str) -> Literal["checkpoint", "bilinear"]:
    """What "auto" means for a checkpoint: its own preprocessing, but for MedSigLIP's.

    Args:
        weights: As the settings name them.
        wanted: `embed.preprocessing`.
    """
    if wanted == "auto":
        return BILINEAR if weights == MEDSIGLIP else "checkpoint"
    return BILINEAR if wanted == BILINEAR else "checkpoint"


def needed(stage: str, weights: str, reads_preprocessing: bool) -> Needed:
    """The files of a checkpoint, in a folder, in the cache or on the hub.

    Args:
        stage: Section of the settings.
        weights: A folder, or a name on the hub.
        reads_preprocessing: Whether its `preprocessor_config.json` is wanted too.
    """
    files = (CONFIG, WEIGHTS, *([PREPROCESSING] if reads_preprocessing else []))
    licence = LICENCES.get(weights, "unknown")
    if is_hub_name(weights):
        return of_hub(stage, weights, files, licence)
    folder = Path(weights)
    missing = [name for name in files if not (folder / name).is_file()]
    if WEIGHTS in missing and any(folder.glob("*.safetensors")):  # in parts
        missing.remove(WEIGHTS)
    if not missing:
        return Needed(stage, weights, weights, "", licence)
    problem = f"the folder holds no {' and no '.join(missing)}" if folder.is_dir() else "no folder"
    return Needed(stage, weights, "", how_to_get(weights, problem), licence)


def tower_of(weights: str) -> ImageTower | None:
    """Sizes of a checkpoint, from its config where that is here; None where nothing says them.

    Args:
        weights: A folder, or a name on the hub.
    """
    config = cached(weights, CONFIG) if is_hub_name(weights) else Path(weights) / CONFIG
    if config is None or not config.is_file():
        return KNOWN.get(weights)
    vision = json.loads(config.read_text(encoding="utf-8")).get("vision_config", {})
    names = ImageTower.__dataclass_fields__
    return ImageTower(**{name: vision[name] for name in names if name in vision})


def how_to_get(weights: str, problem: str) -> str:
    """What to do where a checkpoint is not to be had, in words.

    Args:
        weights: As the settings name it: a folder, or a name on the hub.
        problem: Why.
    """
    if is_hub_name(weights):
        files = (CONFIG, WEIGHTS, PREPROCESSING)
        return how_to_fetch(weights, files, problem, "embed.weights")
    return (
        f"{weights}: {problem}. Expected a checkpoint in a folder, as it is written by: "
        "hf download OWNER/NAME --local-dir FOLDER (if the model is gated, accept its licence on "
        "its page at https://huggingface.co and run: hf auth login). Then --set "
        "embed.weights=FOLDER"
    )


def is_hub_name(weights: str) -> bool:
    """Whether it can be the name of a repository, and is no folder here."""
    is_path = weights.startswith((".", "/", "~")) or Path(weights).exists()
    return weights.count("/") == 1 and not is_path
