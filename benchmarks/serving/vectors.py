"""What takes longest to make, kept in files: the texts' vectors, and the pretrained encoder that made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from rewriter.bert.pretrained import load_pretrained
from rewriter.retrieval.encoder import CARD, MODEL, TOKENIZER, OnnxEncoder
from rewriter.retrieval.model import BiEncoder, save_onnx

_CHUNK, _SEED = 1000, 7
_APART = 0.6  # length of the step from an encoded vector to one near it: their cosine is about 0.86


def write_encoder(out: Path) -> Path:
    """The packaged all-MiniLM-L6-v2 as the int8 graph that training would write."""
    if not (out / CARD).exists():
        out.mkdir(parents=True, exist_ok=True)
        bert, tokenizer = load_pretrained()
        save_onnx(BiEncoder(bert), out / MODEL)
        tokenizer.save(str(out / TOKENIZER))
        card = {"dim": 384, "max_length": 32, "pooling": "mean", "model_version": "all-MiniLM-L6-v2"}
        (out / CARD).write_text(json.dumps(card) + "\n", "utf-8")
    return out


def encoded(texts: Sequence[str], encoder: OnnxEncoder, file: Path, n: int) -> NDArray[np.float32]:
    """Vectors (n texts, dim) mapped from the file, of which ``n`` are the encoder's; zeros for the others.

    The texts are taken in random order, so that those encoded are a sample; what an earlier call encoded is kept.
    """
    vectors = open_memmap(file, "r+" if file.exists() else "w+", np.float32, (len(texts), encoder.dim))
    missing = np.random.default_rng(_SEED).permutation(len(texts))[:n]
    missing = missing[~vectors[missing].any(axis=1)]
    for start in range(0, len(missing), _CHUNK):
        rows = missing[start : start + _CHUNK]
        vectors[rows] = encoder.encode([texts[row] for row in rows])
        print(f"\r{start:,} of {len(missing):,} texts encoded", end="", flush=True)
    return vectors


def near(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors (n, dim), where those not encoded lie near the last one before them: texts are sorted, so it is alike."""
    encoded_rows = np.flatnonzero(vectors.any(axis=1))
    if len(encoded_rows) == len(vectors):
        return vectors
    last = encoded_rows[np.maximum(np.searchsorted(encoded_rows, np.arange(len(vectors)), "right") - 1, 0)]
    missing = np.setdiff1d(np.arange(len(vectors)), encoded_rows)
    found, rng = np.array(vectors), np.random.default_rng(_SEED)
    for rows in np.array_split(missing, -(-len(missing) // 50_000)):
        moved = vectors[last[rows]] + _APART / np.sqrt(vectors.shape[1]) * rng.standard_normal(
            (len(rows), vectors.shape[1]), np.float32
        )
        found[rows] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return found
