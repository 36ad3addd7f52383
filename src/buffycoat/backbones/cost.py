"""What a network costs, counted on shapes alone: no weight is made and no pixel computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from buffycoat.backbones.devices import device

TRIAL_SIDE = 1024
"""Of the matrices whose product is timed."""
TRIALS = 8


@dataclass(frozen=True)
class NetworkCost:
    """What one network costs.

    Attributes:
        parameters: Weights.
        flops: Floating-point operations of a forward pass, for an image.
        kept_bytes: What a training step keeps until the backward pass, for an image.
        kept_once_bytes: What it keeps however many images there are: weights in bf16.
    """

    parameters: int
    flops: float
    kept_bytes: int = 0
    kept_once_bytes: int = 0


def cost_of(
    make: Callable[[], nn.Module], *shapes: tuple[int, ...], precision: str = "fp32"
) -> NetworkCost:
    """Count a network's weights, operations and activations.

    Args:
        make: Builds it.
        shapes: Of its inputs for one image, without the batch.
        precision: "bf16" or "fp32", of the training.
    """
    with torch.device("meta"):  # a network may look at numbers while it is built
        network = make().train()
    with FakeTensorMode(allow_non_fake_inputs=True):
        network = network.to_empty(device="cpu")  # autocast knows no meta device
        # Two at least: batch norm has no variance of one small image.
        two, three = (_run(network, shapes, n, precision) for n in (2, 3))
    of_one = three[1] - two[1]
    weights = sum(value.numel() for value in network.parameters())
    return NetworkCost(weights, two[0] / 2, of_one, max(0, two[1] - 2 * of_one))


def _run(
    network: nn.Module, shapes: Sequence[tuple[int, ...]], n: int, precision: str
) -> tuple[float, int]:
    """Operations of a forward pass of n images, and the bytes that autograd keeps of it."""
    weights = {_storage(value) for value in network.state_dict().values()}
    kept: dict[int, Tensor] = {}  # held, so that no other gets the place of one

    def keep(value: Tensor) -> Tensor:
        if _storage(value) not in weights:
            kept[_storage(value)] = value
        return value

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value)
    reduced = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
    with FlopCounterMode(display=False) as counter, hooks, reduced:
        network(*(torch.zeros(n, *shape) for shape in shapes))
    size = sum(value.untyped_storage().nbytes() for value in kept.values())
    return float(counter.get_total_flops()), size


def _storage(value: Tensor) -> int:
    """What two views of the same numbers share."""
    return value.untyped_storage()._cdata


def flops_a_second(precision: str) -> float:
    """What a product of matrices reaches here: the best of a few, on the GPU where there is one.

    Args:
        precision: "bf16" or "fp32".
    """
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.ones(TRIAL_SIDE, TRIAL_SIDE, dtype=kind, device=device())
    seconds = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        if matrix.is_cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * TRIAL_SIDE**3 / min(seconds)
