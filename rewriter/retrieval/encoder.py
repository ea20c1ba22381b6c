"""Texts to vectors with ONNX Runtime alone: no torch, no transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rewriter.bert.runtime import OnnxModel, Tokens, load_tokenizer, tokenize
from rewriter.errors import RewriterError

MODEL, TOKENIZER, CARD = "model.onnx", "tokenizer.json", "encoder.json"


class Encoder(Protocol):
    """Turns texts into vectors of length 1, so that an inner product is a cosine."""

    dim: int

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (n, dim) of n normalised texts."""
        ...


class OnnxEncoder:
    """The bi-encoder that ``train_encoder`` wrote.

    Each text is encoded by itself. The int8 graph scales the activations of a whole batch at once, so in a batch a text's
    vector would depend on its neighbours (cosines down to 0.95 between one batch and another). Alone it is the same in
    the index and at run time, and on a CPU that costs a quarter of the batched speed.

    Parameters
    ----------
    folder
        Holds ``model.onnx``, ``tokenizer.json`` and ``encoder.json``.
    threads
        How many texts are encoded at the same time; it does not change the vectors.
    """

    def __init__(self, folder: Path | str, threads: int = 1) -> None:
        """Load the model.

        Raises
        ------
        RewriterError
            Naming the file that is missing or broken.
        """
        folder = Path(folder)
        try:
            card = json.loads((folder / CARD).read_text("utf-8"))
            self.dim, self._max_length = int(card["dim"]), int(card["max_length"])
            self.version = str(card["model_version"])
        except (OSError, KeyError, ValueError) as error:
            raise RewriterError(f"encoder {folder}: {CARD} cannot be read ({error})") from error
        self._tokenizer = load_tokenizer(folder / TOKENIZER)
        self._model = OnnxModel(folder / MODEL)
        self._threads = max(1, threads)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (n, dim), float32, of length 1, of n normalised texts."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        if not len(texts):
            return vectors
        tokens = tokenize(self._tokenizer, texts, self._max_length)
        if self._threads == 1 or len(texts) == 1:
            self._fill(vectors, tokens, range(len(texts)))
            return vectors
        with ThreadPoolExecutor(self._threads) as pool:
            parts = [range(i, len(texts), self._threads) for i in range(self._threads)]
            list(pool.map(lambda rows: self._fill(vectors, tokens, rows), parts))
        return vectors

    def _fill(self, vectors: NDArray[np.float32], tokens: Tokens, rows: range) -> None:
        for row in rows:
            ids, _ = tokens.row(row)
            vectors[row] = self._model.run(ids, np.ones_like(ids))[0][0]
