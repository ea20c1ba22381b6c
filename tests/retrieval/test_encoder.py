"""The encoder that serves, beside the torch module it came from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rewriter.bert.pretrained import load_pretrained
from rewriter.bert.runtime import OnnxModel, tokenize
from rewriter.errors import RewriterError
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.model import BiEncoder, encode_tokens, save_onnx

TEXTS = ["play jazz music", "what will the weather in london", "turn off the kitchen lights", "stop", ""]


def test_vectors_have_length_one_and_differ(tiny_encoder: Path):
    vectors = OnnxEncoder(tiny_encoder).encode(TEXTS)
    assert vectors.shape == (5, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors @ vectors.T)[np.triu_indices(5, 1)].max() < 0.999


@pytest.mark.parametrize("threads", [1, 3])
def test_a_text_has_the_same_vector_whoever_is_beside_it(tiny_encoder: Path, threads: int):
    alone = np.concatenate([OnnxEncoder(tiny_encoder).encode([text]) for text in TEXTS])
    together = OnnxEncoder(tiny_encoder, threads).encode(TEXTS)
    np.testing.assert_array_equal(together, alone)


def test_no_texts_give_no_vectors(tiny_encoder: Path):
    assert OnnxEncoder(tiny_encoder).encode([]).shape == (0, 32)


def test_the_int8_graph_is_close_to_the_torch_module_and_the_float_graph_equal(
    tiny_bert: Path, tiny_encoder: Path, tmp_path: Path
):
    bert, tokenizer = load_pretrained(tiny_bert)
    module = BiEncoder(bert).eval()
    tokens = tokenize(tokenizer, TEXTS, 16)
    ids, mask, _ = tokens.padded(np.arange(len(TEXTS)))
    with torch.no_grad():
        expected = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    graph = OnnxModel(save_onnx(module, tmp_path / "float.onnx", int8=False))
    np.testing.assert_allclose(graph.run(ids, mask)[0], expected, atol=1e-5)
    assert (OnnxEncoder(tiny_encoder).encode(TEXTS) * expected).sum(axis=1).min() > 0.995
    assert (encode_tokens(module, tokens) * expected).sum(axis=1).min() > 0.999


def test_padding_and_long_texts_do_not_reach_the_mean(tiny_bert: Path):
    bert, tokenizer = load_pretrained(tiny_bert)
    module = BiEncoder(bert).eval()
    ids, mask, _ = tokenize(tokenizer, ["play jazz", "play jazz " * 20], 16).padded(np.array([0, 1]))
    assert ids.shape[1] == 16
    with torch.no_grad():
        padded = module(torch.from_numpy(ids), torch.from_numpy(mask))[0]
        alone = module(torch.from_numpy(ids[:1, :4]), torch.from_numpy(mask[:1, :4]))[0]
    np.testing.assert_allclose(padded.numpy(), alone.numpy(), atol=1e-5)


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "encoder.json"])
def test_a_missing_or_broken_file_is_named(tiny_encoder: Path, tmp_path: Path, file: str):
    for source in tiny_encoder.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / file).write_bytes(b"{")
    with pytest.raises(RewriterError, match=file):
        OnnxEncoder(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(RewriterError, match=file):
        OnnxEncoder(tmp_path)


def test_serving_an_index_imports_no_torch_transformers_or_spark():
    modules, barred = "encoder, global_index, personal_index", "{'torch', 'transformers', 'pyspark'}"
    code = f"import sys; from rewriter.retrieval import {modules}; print({barred} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
