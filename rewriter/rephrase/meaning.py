"""Vectors of whole sentences by the pretrained encoder: they stand in for interpretations in a log that has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rewriter.bert.runtime import OnnxModel, load_tokenizer, tokenize
from rewriter.rephrase.log import Floats, Ints, Log

#: The encoder as it was before training, in the folder of a model that learnt from a log without interpretations.
SENTENCES = "sentences.onnx"
_LENGTH = 64

Meaning = Callable[[Log, Ints, Ints], Floats]


def has_readings(log: Log) -> bool:
    """Whether any turn of the log was interpreted."""
    return any(log.reading)


def read_meaning(folder: str | Path) -> Meaning | None:
    """Cosines of the sentence vectors of pairs of turns, (m,), by the encoder in a model's folder; None if it holds none.

    Each text is encoded alone, so that its vector does not depend on its neighbours (int8 activations are scaled by batch).
    """
    file = Path(folder) / SENTENCES
    if not file.exists():
        return None
    model, tokenizer = OnnxModel(file), load_tokenizer(folder)

    def cosines(log: Log, source: Ints, later: Ints) -> Floats:
        if not len(source):
            return np.zeros(0)
        texts = sorted({log.text[i] for i in np.union1d(source, later).tolist()})
        tokens = tokenize(tokenizer, texts, _LENGTH)
        rows = [model.run(*tokens.padded(np.array([k]))[:2])[0] for k in range(len(texts))]
        vectors = np.concatenate(rows).astype(np.float64)
        place = {text: k for k, text in enumerate(texts)}
        a, b = (np.array([place[log.text[i]] for i in side.tolist()]) for side in (source, later))
        return np.asarray((vectors[a] * vectors[b]).sum(axis=1))

    return cosines
