"""Depthwise convolutions whose gradients are computed in fp32 where bf16 has no fast kernel.

On a CPU, oneDNN computes the gradients of bf16 depthwise convolutions by its reference loops:
10 to 100 times slower than in fp32, and more than half of a training step of an EfficientNet. The
forward pass is fast in both. So it stays in the precision that it is asked for, and the gradients
are computed in fp32 and rounded to it: a few images at a time, so that the fp32 copies stay in the
processor's cache, and of wide kernels three columns at a time, since oneDNN has no fast kernel for
the gradients of more.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from timm.layers import pad_same  # pyright: ignore[reportPrivateImportUsage]
from torch import nn
from torch.nn import functional as F

Pair = tuple[int, int]

AT_ONCE_BYTES = 8 * 2**20
"""Of a layer's input in fp32, whose gradients are computed at once."""
FAST_COLUMNS = 3
"""Width of kernels, however high, whose weights' gradients oneDNN computes 5 to 15 times as fast as
those of wider ones."""


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.geometry = (stride, padding, dilation)
        channels = inputs.shape[1]
        return F.conv2d(inputs, weight.to(inputs.dtype), None, stride, padding, dilation, channels)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        inputs, weight = ctx.saved_tensors
        weight = weight.float()
        of_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        images = max(1, AT_ONCE_BYTES // (4 * inputs[0].numel()))
        for start in range(0, len(inputs), images):
            part = inputs[start : start + images]
            gradient = gradients[0][start : start + images].float()
            if of_inputs is not None:
                of_inputs[start : start + images] = _of_inputs(
                    gradient, part, weight, *ctx.geometry
                )
            if of_weight is not None:
                of_weight += _of_weight(gradient, part, weight, *ctx.geometry)
        return of_inputs, of_weight, None, None, None


def _of_inputs(
    gradient: torch.Tensor,
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> torch.Tensor:
    shape_only = torch.empty_like(inputs, dtype=torch.float32)
    wanted = (True, False, False)
    return _gradients(gradient, shape_only, weight, stride, padding, dilation, wanted)[0]


def _of_weight(
    gradient: torch.Tensor,
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> torch.Tensor:
    """Of a wide kernel, `FAST_COLUMNS` columns at a time: each sees the inputs shifted."""
    wanted = (False, True, False)
    columns = weight.shape[-1]
    if columns <= FAST_COLUMNS or dilation != (1, 1):
        return _gradients(gradient, inputs.float(), weight, stride, padding, dilation, wanted)[1]
    found = torch.empty_like(weight)
    seen_px = (gradient.shape[-1] - 1) * stride[1] + FAST_COLUMNS
    for first in (*range(0, columns - FAST_COLUMNS, FAST_COLUMNS), columns - FAST_COLUMNS):
        left = padding[1] - first
        seen = F.pad(inputs, (left, seen_px - inputs.shape[-1] - left)).float()
        some = slice(first, first + FAST_COLUMNS)
        narrow = weight[..., some].contiguous()
        found[..., some] = _gradients(
            gradient, seen, narrow, stride, (padding[0], 0), dilation, wanted
        )[1]
    return found


def _gradients(
    gradient: torch.Tensor,
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    wanted: tuple[bool, bool, bool],
) -> Any:
    return torch.ops.aten.convolution_backward(
        gradient,
        inputs,
        weight,
        None,
        stride,
        padding,
        dilation,
        False,
        (0, 0),
        inputs.shape[1],
        wanted,
    )


def speed_up_gradients(model: nn.Module) -> int:
    """Let a network's depthwise convolutions compute gradients in fp32 under CPU autocast.

    Only the way to compute changes: names, weights and what the network gives stay. Without
    autocast the layers work as before.

    Args:
        model: Changed in place.

    Returns:
        How many layers were changed.
    """
    found = [module for module in model.modules() if _is_depthwise(module)]
    for layer in found:
        layer.forward = types.MethodType(_forward, layer)
    return len(found)


def _is_depthwise(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and 1 < module.groups == module.in_channels == module.out_channels
        and module.bias is None
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def _forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    if not torch.is_autocast_enabled("cpu") or inputs.device.type != "cpu":
        return type(layer).forward(layer, inputs)
    padding = layer.padding
    if type(layer).__name__ == "Conv2dSame":  # timm's: pads by what the input's size needs
        inputs = pad_same(inputs, layer.weight.shape[-2:], layer.stride, layer.dilation)
        padding = (0, 0)
    inputs = inputs.to(torch.get_autocast_dtype("cpu"))
    return _Depthwise.apply(inputs, layer.weight, layer.stride, padding, layer.dilation)
