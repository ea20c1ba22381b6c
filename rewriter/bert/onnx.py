"""ONNX export of torch modules and dynamic int8 quantisation, with the same bytes every time."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model

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


@contextmanager
def _errors_alone() -> Iterator[None]:
    """ONNX Runtime's tools log what they could not improve, and advise a pre-processing that is not needed."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def fuse(source: str | Path, out: str | Path, n_heads: int = 0, width: int = 0) -> Path:
    """Write the graph with each attention, layer norm and GELU as one operator; what is built otherwise stays as it is.

    A request has ten tokens, so that a graph's time is as much that of its many operators as of their arithmetic.
    ``n_heads`` and ``width`` are the attention's; without them it is not recognised in every graph.
    """
    with _errors_alone():
        fused = optimize_model(str(source), "bert", num_heads=n_heads, hidden_size=width, opt_level=0)
        fused.save_model_to_file(str(out))
    return Path(out)


def _attention_of(module: torch.nn.Module) -> tuple[int, int]:
    """Heads and width of the attention of the module's encoder; zeros where it does not tell."""
    config = getattr(getattr(module, "encoder", None), "config", None)
    return getattr(config, "num_attention_heads", 0), getattr(config, "hidden_size", 0)


def quantise(source: str | Path, out: str | Path) -> Path:
    """Write the graph with int8 weights (a scale a channel) and activations quantised as they come.

    Only products with constant weights are quantised, those inside a fused attention too; its scores, layer norms and
    embeddings stay float.
    """
    with _errors_alone():
        quantize_dynamic(
            Path(source),
            Path(out),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Attention"],
            extra_options={"DefaultTensorType": TensorProto.FLOAT},  # of what fused operators give
        )
    return Path(out)


def export_int8(
    module: torch.nn.Module,
    example_inputs: Sequence[torch.Tensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    out: str | Path,
) -> Path:
    """`export`, `fuse` and `quantise`; only the int8 graph is left, at ``out``."""
    with tempfile.TemporaryDirectory() as folder:
        full = export(module, example_inputs, input_names, output_names, Path(folder) / "float.onnx")
        return quantise(fuse(full, Path(folder) / "fused.onnx", *_attention_of(module)), out)


def example_batch(n_inputs: int = 2, n: int = 2, length: int = 8) -> tuple[torch.Tensor, ...]:
    """Inputs to trace an encoder with: token ids 1, and ones for the mask; further inputs are zeros."""
    ones = torch.ones((n, length), dtype=torch.int64)
    return tuple(ones.clone() if i < 2 else torch.zeros_like(ones) for i in range(n_inputs))
