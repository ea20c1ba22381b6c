"""ONNX export of torch modules and dynamic int8 quantisation, with the same bytes every time."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

OPSET = 17


def export(
    module: torch.nn.Module,
    example_inputs: Sequence[torch.Tensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    out: str | Path,
) -> Path:
    """Write the module as an ONNX graph; every input is (n, length), and both may change from call to call.

    Parameters
    ----------
    module
        Takes the inputs by position; each output's first axis is n.
    example_inputs
        One int64 tensor (n, length) an input name.
    out
        File to write.

    Notes
    -----
    TorchScript's exporter is used: on these encoders it takes 1 s where the newer one takes 8 s, and ONNX Runtime runs its
    int8 graph 10% faster. Its deprecation and tracing warnings are silenced here; tests compare the graph with the module
    at shapes other than the example's.
    """
    out = Path(out)
    axes: dict[str, dict[int, str]] = {name: {0: "n", 1: "length"} for name in input_names}
    axes |= {name: {0: "n"} for name in output_names}
    was_training = module.training
    module.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(example_inputs),
            str(out),
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    module.train(was_training)
    return out


def quantise(source: str | Path, out: str | Path) -> Path:
    """Write the graph with int8 weights (a scale a channel) and activations quantised as they come.

    Only products with constant weights are quantised; attention scores, layer norms and embeddings stay float.
    """
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that dynamic quantisation of MatMul does not need
    try:
        quantize_dynamic(
            Path(source), Path(out), weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"]
        )
    finally:
        root.setLevel(level)
    return Path(out)


def export_int8(
    module: torch.nn.Module,
    example_inputs: Sequence[torch.Tensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    out: str | Path,
) -> Path:
    """`export`, then `quantise`; only the int8 graph is left, at ``out``."""
    with tempfile.TemporaryDirectory() as folder:
        full = export(module, example_inputs, input_names, output_names, Path(folder) / "float.onnx")
        return quantise(full, out)


def example_batch(n_inputs: int = 2, n: int = 2, length: int = 8) -> tuple[torch.Tensor, ...]:
    """Inputs to trace an encoder with: token ids 1, and ones for the mask; further inputs are zeros."""
    ones = torch.ones((n, length), dtype=torch.int64)
    return tuple(ones.clone() if i < 2 else torch.zeros_like(ones) for i in range(n_inputs))
