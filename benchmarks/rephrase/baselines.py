"""Rephrases without a trained span model: the next turn, and the most alike of the next turns by several likenesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rewriter.bert.pretrained import load_pretrained
from rewriter.bert.runtime import buckets, tokenize
from rewriter.bert.training import tensors
from rewriter.rephrase.closeness import window_pairs
from rewriter.rephrase.log import Floats, Ints, Log
from rewriter.text import similarity, sound_similarity

Score = Callable[[Log], Floats]


@dataclass(frozen=True)
class Predictions:
    """The best later turn of each turn of a log that has one, and its probability or likeness, (m,) each."""

    source: Ints
    later: Ints
    probability: Floats


def best_of(log: Log, source: Ints, later: Ints, score: Floats) -> Predictions:
    """The highest scored pair of each source; of equal ones the nearest."""
    order = np.lexsort((later, -score, source))
    first = np.append(True, np.diff(source[order]) != 0) if len(order) else np.zeros(0, bool)
    kept = order[first]
    return Predictions(source[kept], later[kept], np.clip(score[kept], 0.0, 1.0))


def token_overlap(a: str, b: str) -> float:
    """Share of the words of either text that both have; of the characters where words are not set apart."""
    x, y = (set(t.split() if " " in a + b else t) for t in (a, b))
    return len(x & y) / len(x | y) if x | y else 0.0


def of_texts(like: Callable[[str, str], float]) -> Score:
    """Scores of all pairs of a log by a likeness of two normalised texts."""

    def score(log: Log) -> Floats:
        pairs = zip(*(side.tolist() for side in window_pairs(log.following)), strict=True)
        return np.array([like(log.text[i], log.text[j]) if log.text[i] and log.text[j] else 0.0 for i, j in pairs])

    return score


def embeddings(texts: list[str], encoder: str = "") -> NDArray[np.float32]:
    """Unit vectors of texts, mean of the last layer, (n, size)."""
    model, tokenizer = load_pretrained(encoder)
    tokens = tokenize(tokenizer, texts, 64)
    out = np.zeros((len(texts), int(model.config.hidden_size)), np.float32)
    with torch.inference_mode():
        for rows in buckets(tokens.lengths):
            ids, mask, _ = tensors(tokens, rows)
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state * mask.unsqueeze(-1)
            out[rows] = torch.nn.functional.normalize(hidden.sum(1) / mask.sum(1, keepdim=True), dim=1).numpy()
    return out


def cosine(log: Log) -> Floats:
    """Cosine of the pretrained encoder's vectors of both texts."""
    texts = sorted(set(log.text))
    place = {text: k for k, text in enumerate(texts)}
    vectors = embeddings(texts)
    source, later = (np.array([place[log.text[i]] for i in side]) for side in window_pairs(log.following))
    return np.asarray((vectors[source] * vectors[later]).sum(axis=1), np.float64) if len(source) else np.zeros(0)


#: Method -> scores of all pairs; the next turn is the nearest of equal ones.
BASELINES: dict[str, Score] = {
    "next turn": lambda log: np.ones(len(window_pairs(log.following)[0])),
    "characters": of_texts(similarity),
    "tokens": of_texts(token_overlap),
    "phonetic": of_texts(sound_similarity),
    "cosine": cosine,
}
SIMILARITIES = ("characters", "tokens", "phonetic", "cosine")


def predicted(log: Log) -> Iterator[tuple[str, Predictions]]:
    """What each baseline says of a log."""
    source, later = window_pairs(log.following)
    for name, score in BASELINES.items():
        yield name, best_of(log, source, later, score(log))
