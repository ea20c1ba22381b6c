"""What an encoder tells of a turn: whether its answer fits, and what the next request has to do with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rewriter.defects.view import Floats, present
from rewriter.retrieval.encoder import Encoder, OnnxEncoder

Vectors = NDArray[np.float32]

ENCODER, ANSWERS = "encoder", "answers.npy"
#: Answers of other dialogues that a turn's own answer is held against.
N_ANSWERS = 500
#: What an answer has to fit, with its weight: above all the request, and what was said before it.
CONTEXT = {"text": 1.0, "prev_response": 0.3, "prev_text": 0.3}
#: Reactions of users, anchors for an encoder that knows sentences; a multilingual one carries them to its languages.
COMPLAINTS = (
    "no that is not what i said",
    "no i said something else",
    "that is wrong",
    "you did not understand me",
    "you did not answer my question",
    "what are you talking about",
    "that does not make sense",
    "what do you mean",
    "sorry what",
)
CONTENT = ("thank you goodbye", "great thanks", "yes exactly", "okay that sounds good")
#: Texts whose vectors are kept between batches: requests and answers recur.
_MAX_KEPT = 30_000


def swapped_rank(context: Vectors, answer: Vectors, swapped: Vectors) -> Floats:
    """Share of swapped-in answers that fit each of n contexts less well than its own answer does; ties count half.

    A rank, not a cosine: a context that resembles everything, or a log whose answers are all alike, changes nothing.

    Parameters
    ----------
    context, answer
        Shape (n, dim).
    swapped
        Answers of other dialogues, shape (k, dim).
    """
    own = np.einsum("nd,nd->n", context, answer)[:, None]
    other = context @ swapped.T
    same = np.abs(own - other) < 1e-6
    return np.asarray(np.mean(np.where(same, 0.5, own > other), axis=1), dtype=np.float64)


class Meaning:
    """An encoder, and a sample of the log's answers.

    Parameters
    ----------
    encoder
        Its vectors have length 1.
    answers
        Shape (k, dim).
    """

    def __init__(self, encoder: Encoder, answers: Vectors) -> None:
        self._encoder, self._answers = encoder, answers
        self._kept: dict[str, NDArray[np.float32]] = {}
        self._complaints, self._content = encoder.encode(COMPLAINTS), encoder.encode(CONTENT)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in texts if text not in self._kept]
        if len(self._kept) + len(new) > _MAX_KEPT:
            self._kept.clear()
            new = list(texts)
        if new:
            self._kept.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._kept[text] for text in texts])

    def vectors(self, view: pa.RecordBatch, name: str) -> Vectors:
        """Vectors of a text column, shape (n, dim), each distinct text encoded once; zeros where it is null."""
        unique = view.column(name).dictionary_encode()
        rows = np.asarray(unique.indices.fill_null(len(unique.dictionary)))
        zero = np.zeros((1, self._encoder.dim), np.float32)
        known = self._encode(unique.dictionary.to_pylist()) if len(unique.dictionary) else zero[:0]
        found: Vectors = np.concatenate([known, zero])[rows]
        return found

    def misfit(self, view: pa.RecordBatch, answer: str, context: dict[str, float]) -> Floats:
        """How badly an answer fits, in 0..1: the share of swapped-in answers that would fit better; NaN without one."""
        given = np.asarray(sum(weight * self.vectors(view, name) for name, weight in context.items()), dtype=np.float32)
        rank = swapped_rank(given, self.vectors(view, answer), self._answers)
        return np.where(present(view, answer), 1.0 - rank, np.nan)

    def similarity(self, view: pa.RecordBatch, other: str) -> Floats:
        """Cosine of each turn's text and another text column; NaN where that is missing."""
        cosine = np.einsum("nd,nd->n", self.vectors(view, "text"), self.vectors(view, other))
        return np.where(present(view, other), cosine, np.nan)

    def complaint(self, view: pa.RecordBatch, name: str) -> Floats:
        """How much closer a text is to complaints than to content; NaN where it is missing."""
        said = self.vectors(view, name)
        closer = (said @ self._complaints.T).max(axis=1) - (said @ self._content.T).max(axis=1)
        return np.where(present(view, name), closer, np.nan)


def load_meaning(folder: Path) -> Meaning | None:
    """The encoder and answers of a defect model's folder; None for a model that has none.

    Raises
    ------
    RewriterError
        If a file is broken.
    """
    if not (folder / ANSWERS).is_file():
        return None
    return Meaning(OnnxEncoder(folder / ENCODER), np.load(folder / ANSWERS, allow_pickle=False))
