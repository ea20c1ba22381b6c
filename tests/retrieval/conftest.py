"""A tiny encoder as the pipeline writes it, and vectors whose neighbours are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Unit = Callable[[int, int, int], NDArray[np.float32]]


@pytest.fixture(scope="session")
def unit() -> Unit:
    """``unit(n, dim, seed)``: n random directions around a few centres, as requests cluster by intent."""

    def make(n: int, dim: int, seed: int) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(20, dim))
        vectors = centres[rng.integers(20, size=n)] + 0.8 * rng.normal(size=(n, dim))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def tiny_encoder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like ``models/encoder``, from the tiny random BERT."""
    from rewriter.bert.pretrained import load_pretrained
    from rewriter.retrieval.model import BiEncoder, save_onnx

    folder = tmp_path_factory.mktemp("encoder")
    bert, tokenizer = load_pretrained(tiny_bert)
    save_onnx(BiEncoder(bert).eval(), folder / "model.onnx")
    tokenizer.save(str(folder / "tokenizer.json"))
    card = {"dim": 32, "max_length": 16, "pooling": "mean", "model_version": "tiny"}
    (folder / "encoder.json").write_text(json.dumps(card))
    return folder
