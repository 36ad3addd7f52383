"""Depthwise convolutions whose gradients are computed in fp32 where bf16 has no fast kernel.

On a CPU, oneDNN computes the gradients of bf16 depthwise convolutions by its reference loops:
10 to 100 times slower than in fp32, and more than half of a training step of an EfficientNet. The
forward pass is fast in both. So it stays in the precision that it is asked for, and the gradients
are computed in fp32 and rounded to it.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from timm.layers import pad_same  # pyright: ignore[reportPrivateImportUsage]
from torch import nn
from torch.nn import functional as F

Pair = tuple[int, int]


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
        wanted = (ctx.needs_input_grad[0], ctx.needs_input_grad[1], False)
        of_inputs, of_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].float(),
            inputs.float(),
            weight.float(),
            None,
            *ctx.geometry,
            False,
            (0, 0),
            inputs.shape[1],
            wanted,
        )
        if of_inputs is not None:
            of_inputs = of_inputs.to(inputs.dtype)
        return of_inputs, of_weight, None, None, None


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
