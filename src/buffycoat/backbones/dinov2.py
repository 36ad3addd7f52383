"""Checkpoints of DINOv2 trainings, DinoBloom's among them.

DinoBloom (Koch et al., arXiv 2404.05022) is DINOv2 (arXiv 2304.07193) trained further on single
cells of blood and marrow. It publishes what a training saves: a .pth with the teacher, its backbone
beside its heads. Its files hold positions for 224 px; timm resamples them to the
input's size and renames what it calls otherwise.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from buffycoat.backbones.weights import read_safetensors
from buffycoat.errors import ConfigError, WeightsNotFoundError

HEADS = ("dino_head.", "ibot_head.")
"""Of the training's own tasks; not used afterwards."""

SAFE_SINCE = "2.6"
"""Earlier releases of torch run code in a .pth even with weights_only (CVE-2025-32434)."""

N_NAMES_SHOWN = 3


def is_dinov2(name: str) -> bool:
    """Whether a timm model is DINOv2's architecture."""
    return "dinov2" in name


def read_dinov2(path: Path) -> dict[str, torch.Tensor]:
    """The backbone in a checkpoint of a DINOv2 training.

    Args:
        path: A .pth or .safetensors file; the backbone alone, or the teacher with its heads.

    Returns:
        Parameters under the names of DINOv2's published models.

    Raises:
        ConfigError: Another format, or a .pth that holds more than tensors and could run code.
        WeightsNotFoundError: No such file, or no such checkpoint in it.
    """
    stored = _read_pth(path) if path.suffix == ".pth" else read_safetensors(path)
    state = to_backbone(stored)
    if "cls_token" not in state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        names = ", ".join(repr(name) for name in list(state)[:N_NAMES_SHOWN])
        raise WeightsNotFoundError(
            f"{path}: not a DINOv2 backbone. Expected tensors 'cls_token', 'pos_embed', "
            f"'blocks.0.norm1.weight' and so on, alone or under 'teacher'; got {names or 'none'}"
        )
    return state


def to_backbone(stored: Any) -> dict[str, Any]:
    """The entries of the backbone, without the prefixes that a training gives them.

    Args:
        stored: A whole checkpoint.

    Returns:
        Name -> value; empty if it is no state dict.
    """
    teacher = stored.get("teacher", stored) if isinstance(stored, Mapping) else None
    if not isinstance(teacher, Mapping):
        return {}
    bare = {
        str(key).removeprefix("teacher.").removeprefix("backbone."): value
        for key, value in teacher.items()
    }
    return {key: value for key, value in bare.items() if not key.startswith(HEADS)}


def _read_pth(path: Path) -> Any:
    if torch.__version__ < SAFE_SINCE:
        raise ConfigError(
            f"{path}: torch {torch.__version__} cannot read a .pth without running what is in it. "
            f"Install torch {SAFE_SINCE} or newer, or convert it with safetensors.torch.save_file"
        )
    if not path.is_file():
        raise WeightsNotFoundError(f"{path}: no such file of weights")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConfigError(
            f"{path}: damaged, or holds more than tensors, which could run code: it is not read. "
            "Where you trust it, convert its state dict with safetensors.torch.save_file"
        ) from error
    except (RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsNotFoundError(f"{path}: not a readable .pth file ({reason})") from error
