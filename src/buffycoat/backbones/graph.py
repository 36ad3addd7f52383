"""Networks as ONNX graphs whose weights stay in the safetensors file that holds them already.

A safetensors file is 8 bytes of header length, a JSON header and the raw tensors, so an ONNX
initialiser can point at each tensor by offset and length: the graph is small, and no weight is
stored twice. Half-precision weights are cast to fp32 by the graph. See docs/adr/0019.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from buffycoat.errors import ConfigError

INPUT, OUTPUT = "image", "output"
LARGEST_FOLDED = 4096
"""Elements of a constant that is computed when the graph is made; larger ones are when it loads."""


def export(
    network: nn.Module, example: np.ndarray, dynamic: Mapping[int, str], output: str = OUTPUT
) -> bytes:
    """A network as an ONNX graph, with the weights in it, under the names that torch has for them.

    Batch norms stay layers of their own: merged into convolutions, no weight would be the stored
    one. Engines merge them when they load the graph.

    Args:
        network: In evaluation mode, on the CPU; takes one tensor and gives one.
        example: An input; its batch holds at least 2, since torch takes 1 for a constant.
        dynamic: Axis -> name of each that may have another size.
        output: Name of what it gives.

    Returns:
        The serialised model.

    Raises:
        ConfigError: Torch cannot export it.
    """
    import onnx_ir
    from onnxscript import optimizer

    axes = {axis: torch.export.Dim(name, min=1) for axis, name in dynamic.items()}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (torch.from_numpy(example),),
                dynamo=True,
                optimize=False,
                verbose=False,
                input_names=[INPUT],
                output_names=[output],
                dynamic_shapes=(axes,),
            )
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        raise ConfigError(
            f"torch cannot export this network to ONNX ({str(error).splitlines()[0]})"
        ) from error
    assert program is not None
    model = program.model
    optimizer.inline(model)
    optimizer.fold_constants(model, output_size_limit=LARGEST_FOLDED)
    optimizer.remove_unused_nodes(model)
    _drop_zero_biases(model.graph)
    _drop_notes(model.graph)
    proto = onnx_ir.to_proto(model)
    del proto.graph.value_info[:]  # shapes in between, which engines find themselves
    return proto.SerializeToString()


def save_beside(
    template: bytes,
    path: Path,
    weights: Path,
    names: Mapping[str, str],
    values: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a graph whose weights are those of a safetensors file in the same folder.

    Args:
        template: From `export`.
        path: The .onnx file.
        weights: The safetensors file, in the folder of `path`.
        names: Initialiser -> tensor of the file that takes its place, in fp32 or fp16.
        values: Initialiser -> another value that is put into the graph.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(template)
    stored = _entries(weights)
    types = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16}
    casts = []
    for tensor in model.graph.initializer:
        name = tensor.name
        if values and name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[name], name))
        if name not in names:
            continue
        kind, shape, offset, length = stored[names[name]]
        assert list(tensor.dims) == shape, (name, tensor.dims, shape)
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_type = types[kind]
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", weights.name), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        if kind == "F16":
            tensor.name = f"{name}.half"
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    path.write_bytes(model.SerializeToString())


def initialisers(template: bytes) -> dict[str, np.ndarray]:
    """The values in a graph from `export`, by name."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(template).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _entries(file: Path) -> dict[str, tuple[str, list[int], int, int]]:
    """Tensor -> type, shape, first byte in the file, bytes."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(size))
    header.pop("__metadata__", None)
    return {
        name: (
            entry["dtype"],
            entry["shape"],
            8 + size + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }


def _drop_zero_biases(graph: Any) -> None:
    """The exporter gives every convolution without a bias one of zeros: half a megabyte here."""
    for node in graph:
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        if bias is None or node.op_type not in ("Conv", "ConvTranspose"):
            continue
        value = bias.const_value
        # The name of a parameter has a dot; those are stored, zero or not.
        if value is not None and "." not in bias.name and not value.numpy().any():
            node.resize_inputs(2)
            if not bias.uses() and bias.name in graph.initializers:
                del graph.initializers[bias.name]


def _drop_notes(graph: Any) -> None:
    """Traces of the source, with paths of the machine that exported it."""
    for node in graph:
        node.metadata_props.clear()
        node.doc_string = None
