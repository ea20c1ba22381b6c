"""What the models' arithmetic alone would take: their multiplications at the rate of a bare int8 product on this core."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, save

#: Multiplications a token of one MiniLM layer: four products of width 384 x 384 and two of 384 x 1536.
PER_LAYER = 4 * 384 * 384 + 2 * 384 * 1536


def int8_rate(tokens: int, folder: Path, repeats: int = 200) -> float:
    """Multiplications a second of ``tokens`` rows by int8 weights of 384 x 1536, the largest product of a layer."""
    weights = np.random.default_rng(0).integers(-127, 127, (384, 1536)).astype(np.int8)
    node = helper.make_node("MatMulInteger", ["a", "w"], ["y"])
    inputs = [helper.make_tensor_value_info("a", TensorProto.UINT8, ["n", 384])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.INT32, ["n", 1536])]
    graph = helper.make_graph([node], "product", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "product.onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(folder / "product.onnx"), options, providers=["CPUExecutionProvider"])
    rows = {"a": np.random.default_rng(1).integers(0, 255, (tokens, 384)).astype(np.uint8)}
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        session.run(None, rows)
        times.append(time.perf_counter() - began)
    return tokens * weights.size / float(np.median(times))


def floor_ms(tokens: int, n_layers: int) -> float:
    """Milliseconds of one text of so many tokens through so many layers, were there nothing but products."""
    with TemporaryDirectory() as folder:
        return 1e3 * tokens * n_layers * PER_LAYER / int8_rate(tokens, Path(folder))
