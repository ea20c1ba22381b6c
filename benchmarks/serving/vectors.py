"""What takes longest to make, kept in files: the texts' vectors, and the pretrained encoder that made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from benchmarks.serving.texts import Said
from rewriter.bert.pretrained import load_pretrained
from rewriter.retrieval.encoder import CARD, MODEL, TOKENIZER, OnnxEncoder
from rewriter.retrieval.model import BiEncoder, save_onnx

_CHUNK = 5000


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


def encoded(texts: list[Said], encoder: OnnxEncoder, file: Path) -> NDArray[np.float32]:
    """Vectors (n, dim) of the texts, mapped from the file; what an earlier call encoded is kept."""
    done = file.with_suffix(".done")
    n_done = int(done.read_text()) if done.exists() else 0
    vectors = open_memmap(file, "r+" if n_done else "w+", np.float32, None if n_done else (len(texts), encoder.dim))
    for start in range(n_done, len(texts), _CHUNK):
        vectors[start : start + _CHUNK] = encoder.encode([said.utterance for said in texts[start : start + _CHUNK]])
        vectors.flush()
        done.write_text(str(min(start + _CHUNK, len(texts))))
        print(f"\r{start:,} of {len(texts):,} texts encoded", end="", flush=True)
    return vectors
