"""Training state in one safetensors file, without pickle, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from buffycoat.images import writing

_TENSOR = "__tensor__"
_ITEMS = "__items__"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write nested dicts and lists of tensors and plain values.

    Args:
        path: The file; replaced as a whole.
        state: Keys are strings or ints; leaves are tensors or JSON values.

    Raises:
        OutputError: The file cannot be written; the earlier one stays.
    """
    tensors: dict[str, torch.Tensor] = {}
    skeleton = _split(state, tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as temporary:
        save_file(tensors, str(temporary), metadata={"skeleton": json.dumps(skeleton)})


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote; tensors are on the CPU, contiguous."""
    with safe_open(str(path), framework="pt") as file:
        skeleton = json.loads(file.metadata()["skeleton"])
        return _join(skeleton, {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118


def _split(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(node, torch.Tensor):
        key = str(len(tensors))
        tensors[key] = node.detach().cpu().contiguous().clone()
        return {_TENSOR: key}
    if isinstance(node, dict):
        # As pairs, since JSON would turn an optimiser's integer keys into strings.
        return {_ITEMS: [[key, _split(value, tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return [_split(value, tensors) for value in node]
    return node


def _join(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(node, list):
        return [_join(value, tensors) for value in node]
    if isinstance(node, dict):
        if _TENSOR in node:
            return tensors[node[_TENSOR]]
        return {key: _join(value, tensors) for key, value in node[_ITEMS]}
    return node
