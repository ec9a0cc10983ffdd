"""A torch module to an ONNX graph of any number of rows and tokens; the weights lie beside it, the graph is small."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

OPSET = 18


def export_graph(
    network: nn.Module, example: Mapping[str, Tensor], output: str, path: Path, dtype: str = "float32"
) -> None:
    """Write a graph and ``<name>.data`` beside it.

    Args:
        network: what is exported; its arguments are named as in ``example``.
        example: inputs of two rows or more; first dimensions are free, and the second of whole-number inputs.
        output: name of the only output.
        path: of the graph.
        dtype: of the weights; for ``float16`` the network itself is halved, so its scores are to be known before.
    """
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens")
    shapes = {name: {0: rows} if value.is_floating_point() else {0: rows, 1: tokens} for name, value in example.items()}
    network = network.half().eval() if dtype == "float16" else network.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (),
            kwargs=dict(example),
            dynamo=True,
            input_names=list(example),
            output_names=[output],
            dynamic_shapes=shapes,
            opset_version=OPSET,
            verbose=False,
            optimize=False,
        )
        weights = [*program.model.graph.initializers.values()]
        program.optimize()
        program.save(str(path), external_data=True)
    # The rules that simplified the graph keep it as long as they live, and with it all weights.
    for value in (*weights, *program.model.graph.initializers.values()):
        value.const_value = None
    strip_doc_strings(path)


def strip_doc_strings(path: Path) -> None:
    """Take away where in the source each node came from: nine tenths of a graph's size."""
    model = onnx.load(str(path), load_external_data=False)
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    for owner in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        owner.ClearField("metadata_props")
    model.ClearField("metadata_props")
    for function in model.functions:
        function.ClearField("metadata_props")
        for node in function.node:
            node.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString())
