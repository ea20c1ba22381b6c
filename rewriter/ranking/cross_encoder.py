"""Cross-encoder at run time: one logit for each (request, candidate), by ONNX Runtime alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rewriter.bert.runtime import OnnxModel, load_tokenizer, tokenize_pairs

MAX_LENGTH = 40  # tokens of both texts; requests are short


class CrossEncoder:
    """Reads request and candidate together; bigger is likelier the same meaning."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._model = OnnxModel(folder, threads=threads)
        self._tokenizer = load_tokenizer(folder)

    def scores(self, request: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        """Logits (n,) of the candidates, all normalised texts."""
        if not candidates:
            return np.zeros(0)
        # One row at a time: dynamic int8 scales follow the batch, and a score must not depend on its neighbours.
        tokens = tokenize_pairs(self._tokenizer, [request] * len(candidates), list(candidates), MAX_LENGTH)
        out = np.zeros(len(candidates))
        for i in range(len(candidates)):
            ids, mask, types = tokens.padded(np.array([i], np.int64))
            out[i] = float(self._model.run(ids, mask, token_type_ids=types)[0].reshape(-1)[0])
        return out
