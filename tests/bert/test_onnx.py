"""The exported graph against the torch module it came from."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from rewriter.bert.onnx import example_batch, export, export_int8, fuse
from rewriter.bert.pretrained import load_pretrained
from rewriter.bert.runtime import OnnxModel, Tokens


class Mean(torch.nn.Module):
    """Mean of the last layer over real tokens."""

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self.encoder, self.tokenizer = load_pretrained(folder)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).float()
        return (hidden * weights).sum(1) / weights.sum(1)


NAMES = ["input_ids", "attention_mask"]
ROWS = Tokens.of([[2, 45, 50, 61, 3], [2, 70, 3], [2, 45, 50, 61, 62, 63, 64, 65, 66, 67, 68, 69, 3]])


@pytest.fixture(scope="module")
def module(tiny_bert: Path) -> Mean:
    return Mean(tiny_bert).eval()


def _both(module: Mean, graph: OnnxModel, rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    ids, mask, _ = ROWS.padded(np.array(rows))
    with torch.no_grad():
        expected = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    return expected, graph.run(ids, mask)[0]


@pytest.mark.parametrize("rows", [[0], [0, 1, 2], [2, 1]])
def test_the_graph_equals_the_module_at_other_shapes_than_the_traced_one(
    module: Mean, tmp_path: Path, rows: list[int]
) -> None:
    graph = OnnxModel(export(module, example_batch(), NAMES, ["vector"], tmp_path / "model.onnx"))
    expected, got = _both(module, graph, rows)
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("rows", [[0], [0, 1, 2], [2, 1]])
def test_fused_operators_compute_what_the_module_does(module: Mean, tmp_path: Path, rows: list[int]) -> None:
    full = export(module, example_batch(), NAMES, ["vector"], tmp_path / "full.onnx")
    config = module.encoder.config
    n_layers = config.num_hidden_layers
    fused = fuse(full, tmp_path / "fused.onnx", config.num_attention_heads, config.hidden_size)
    kinds = [node.op_type for node in onnx.load(fused).graph.node]
    assert (kinds.count("Attention"), kinds.count("SkipLayerNormalization")) == (n_layers, 2 * n_layers)
    assert len(kinds) < len(onnx.load(full).graph.node) / 2
    expected, got = _both(module, OnnxModel(fused), rows)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_int8_stays_close_and_is_the_same_bytes_twice(module: Mean, tmp_path: Path) -> None:
    first = export_int8(module, example_batch(), NAMES, ["vector"], tmp_path / "a.onnx")
    second = export_int8(module, example_batch(), NAMES, ["vector"], tmp_path / "b.onnx")
    assert first.read_bytes() == second.read_bytes()
    expected, got = _both(module, OnnxModel(first), [0, 1, 2])
    cosine = (expected * got).sum(1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(got, axis=1)
    assert cosine.min() > 0.999
    assert np.abs(expected - got).max() > 0  # it is the quantised graph
    kinds = [node.op_type for node in onnx.load(first).graph.node]
    assert (kinds.count("QAttention"), kinds.count("MatMulInteger")) == (2, 6)


def test_padding_beside_a_row_does_not_change_it(module: Mean, tmp_path: Path) -> None:
    graph = OnnxModel(export(module, example_batch(), NAMES, ["vector"], tmp_path / "model.onnx"))
    alone, together = _both(module, graph, [1])[1], _both(module, graph, [1, 2])[1]
    np.testing.assert_allclose(alone[0], together[0], atol=1e-5)
