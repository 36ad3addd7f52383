"""MedSigLIP and SigLIP image encoders."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from buffycoat.backbones.engine import Engine
from buffycoat.backbones.torch_engine import TorchEngine
from buffycoat.backbones.weights import hub_problem
from buffycoat.embed.checkpoint import BILINEAR, LICENCES, how_to_get
from buffycoat.embed.encoder import Encoder, centre_crop
from buffycoat.errors import ConfigError, WeightsNotFoundError
from buffycoat.optional import require

GPU_CELLS_AT_ONCE = 32


class SiglipEncoder(Encoder):
    """Image features of a SigLIP (arXiv 2303.15343; MedSigLIP: arXiv 2507.05201).

    Of the checkpoint's two towers only that of images is loaded.

    Args:
        weights: A folder with a checkpoint in transformers' layout, or a name on the hub.
        input_px: Side of the input; must be the checkpoint's own.
        crop_fraction: Central part of the working image that is kept.
        preprocessing: "bilinear" (see `BILINEAR`); "checkpoint", as its own
            `preprocessor_config.json` says; or the values of that file, as a bundle stores them.

    Raises:
        ConfigError: Another input size than the checkpoint's, not a SigLIP of one size, or weights
            that are not all there.
        WeightsNotFoundError: No such checkpoint here, and the hub does not give it; or it does not
            say how images are to be prepared.
    """

    def __init__(
        self,
        weights: str,
        input_px: int,
        crop_fraction: float,
        preprocessing: str | dict[str, Any] = BILINEAR,
    ) -> None:
        transformers = require("transformers", "embed")
        config = _load(transformers.AutoConfig, weights)
        vision = getattr(config, "vision_config", None)
        if vision is None or "siglip" not in config.model_type:
            raise ConfigError(f"{weights}: expected a SigLIP checkpoint, got {config.model_type!r}")
        own_px = getattr(vision, "image_size", None)
        if own_px is None:
            raise ConfigError(
                f"{weights}: this SigLIP takes images of any size as patches, which is not "
                "supported. Give one of a fixed size, such as google/siglip2-base-patch16-224"
            )
        if own_px != input_px:
            raise ConfigError(
                f"{weights} takes images of {own_px} px, not {input_px}: "
                f"--set embed.input_px={own_px}"
            )
        self._processor = None
        if preprocessing != BILINEAR:
            self._processor = _processor(weights, preprocessing)
            preprocessing = _plain(self._processor)
        self._network: nn.Module = _image_tower(weights).eval().requires_grad_(False)
        self._engine = TorchEngine(_Pooled(self._network), gpu_cells=GPU_CELLS_AT_ONCE)
        self._settings = {
            "kind": "siglip",
            "weights": weights,
            "input_px": input_px,
            "crop_fraction": crop_fraction,
            "preprocessing": preprocessing,
        }
        self.licence = LICENCES.get(weights, "unknown")
        self.source = weights

    @property
    def network(self) -> nn.Module:
        """The vision tower."""
        return self._network

    @property
    def engine(self) -> Engine:
        """Torch."""
        return self._engine

    def settings(self) -> dict[str, Any]:
        """What rebuilds this encoder."""
        return dict(self._settings)

    def inputs(self, images: np.ndarray) -> np.ndarray:
        """Centre crop, then resize and scale as the checkpoint's processor does, or as `BILINEAR`.

        Raises:
            ConfigError: The checkpoint's processor does not resize, and cells are of another size.
        """
        # A copy: torch takes no array that is read-only, as one from a file can be.
        crops = np.array(centre_crop(images, self._settings["crop_fraction"]))
        pixels, px = torch.from_numpy(crops).permute(0, 3, 1, 2), self._settings["input_px"]
        if self._processor is None:
            return (resize_bilinear(pixels.float(), px) / 127.5 - 1.0).numpy()
        prepared = self._processor(
            list(pixels), input_data_format="channels_first", return_tensors="pt"
        )["pixel_values"]
        if prepared.shape[1:] != (3, px, px):
            raise ConfigError(
                f"{self.source}: its preprocessor_config.json makes {tuple(prepared.shape[1:])} of "
                f"cells of {crops.shape[1]} px, and the network takes (3, {px}, {px}). Mend the "
                f"file, or --set embed.preprocessing={BILINEAR}"
            )
        return prepared.float().numpy()


class _Pooled(nn.Module):
    """What `get_image_features` gives."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.network(pixel_values=inputs).pooler_output


def resize_bilinear(pixels: torch.Tensor, px: int) -> torch.Tensor:
    """Bilinear resize with half-pixel centres and no antialiasing, as `tf.image.resize`.

    Args:
        pixels: Shape (n, 3, h, w), float32.
        px: Side of the result.

    Returns:
        Shape (n, 3, px, px), float32.
    """
    return F.interpolate(
        pixels, size=(px, px), mode="bilinear", align_corners=False, antialias=False
    )


def _image_tower(weights: str) -> nn.Module:
    """Half of the checkpoint: MedSigLIP's other half is 1.8 GB of text encoder."""
    transformers = require("transformers", "embed")
    rest = {"_keys_to_ignore_on_load_unexpected": [r"^text_model\.", r"^logit_(scale|bias)$"]}
    tower = type("SiglipVisionModel", (transformers.SiglipVisionModel,), rest)
    model, found = _load(
        tower, weights, use_safetensors=True, dtype=torch.float32, output_loading_info=True
    )
    missing = sorted(found["missing_keys"])
    if missing:  # transformers would leave them random
        raise ConfigError(
            f"{weights}: {len(missing)} weights of the image encoder are not in the file, first "
            f"{missing[0]!r}. Download the checkpoint again"
        )
    return getattr(model, "vision_model", model)  # transformers 4 wraps the tower once more


def _processor(weights: str, preprocessing: str | dict[str, Any]) -> Any:
    """The image processor of a checkpoint, or the one whose values a bundle stored."""
    transformers = require("transformers", "embed")
    if isinstance(preprocessing, dict):
        values = dict(preprocessing)
        name = str(values.pop("image_processor_type", ""))
        if not name.endswith(("ImageProcessor", "ImageProcessorFast")):
            raise ConfigError(f"{weights}: {name!r} in the bundle is no image processor")
        return getattr(transformers, name)(**values)
    try:
        return _load(transformers.AutoImageProcessor, weights)
    except (WeightsNotFoundError, ConfigError) as error:
        raise WeightsNotFoundError(
            f"{weights}: no preprocessor_config.json that says how images are to be prepared. "
            f"Copy it from where the checkpoint came from, or --set embed.preprocessing={BILINEAR}"
        ) from error


def _plain(processor: Any) -> dict[str, Any]:
    """What makes the same processor again, as plain values."""
    values = {name: value for name, value in processor.to_dict().items() if value is not None}
    return json.loads(json.dumps({"image_processor_type": type(processor).__name__} | values))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No bar, and no remarks on the text encoder, which is not used; faults are raised."""
    from transformers.utils import logging

    level, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bar:
            logging.enable_progress_bar()


def _load(factory: Any, weights: str, **options: Any) -> Any:
    """From a folder or the cache; from the hub only if neither has it."""
    folder = Path(weights)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise WeightsNotFoundError(how_to_get(weights, "the folder holds no config.json"))
    try:
        with _silence():
            return factory.from_pretrained(weights, local_files_only=True, **options)
    except (ValueError, RuntimeError) as error:  # no checkpoint; weights of other shapes
        raise ConfigError(
            f"{weights}: not a checkpoint that transformers knows ({error})"
        ) from error
    except OSError as error:
        problem = str(error).splitlines()[0]
    if not folder.exists():
        offline = hub_problem()
        if offline is None:
            try:
                return factory.from_pretrained(weights, **options)
            except OSError as error:
                problem = str(error).splitlines()[0]
        else:
            problem = offline
    raise WeightsNotFoundError(how_to_get(weights, problem))
