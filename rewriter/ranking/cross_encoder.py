"""Cross-encoder at run time: one logit for each (request, candidate), by ONNX Runtime alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rewriter.bert.runtime import Ids, OnnxModel, load_tokenizer, tokenize_pairs

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
        tokens = tokenize_pairs(self._tokenizer, [request] * len(candidates), list(candidates), MAX_LENGTH)
        # One row at a time: dynamic int8 scales follow the batch, and a score must not depend on its neighbours.
        return np.array([self._score(*tokens.row(i)) for i in range(len(candidates))])

    def _score(self, ids: Ids, types: Ids) -> float:
        return float(self._model.run(ids, np.ones_like(ids), token_type_ids=types)[0].reshape(-1)[0])
