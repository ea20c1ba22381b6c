"""Ways to find the request that was meant, each a matrix of scores (queries, corpus), and how often they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from sklearn.feature_extraction.text import CountVectorizer

from benchmarks.slurp.recordings import Recordings
from rewriter.evaluation.win_loss import wilson
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.sketch import sketch
from rewriter.settings import Retrieval
from rewriter.text import sounds_of

Scores = NDArray[np.float32]
DEPTHS = (1, 5, 10)
_RERANKED = 10
_RANK_CONSTANT = 60.0


def bm25(queries: Sequence[str], corpus: Sequence[str], k1: float = 1.2, b: float = 0.75) -> Scores:
    """BM25 over character 2- and 3-grams within words.

    References
    ----------
    Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond", section 3.1.
    """
    grams = CountVectorizer(analyzer="char_wb", ngram_range=(2, 3))
    counts = sp.csr_matrix(grams.fit_transform(corpus), dtype=np.float64)
    length = np.asarray(counts.sum(axis=1)).ravel()
    found = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log1p((len(corpus) - found + 0.5) / (found + 0.5))
    damping = np.repeat(k1 * (1 - b + b * length / length.mean()), np.diff(counts.indptr))
    counts.data = counts.data * (k1 + 1) / (counts.data + damping) * idf[counts.indices]
    scores: Scores = (sp.csr_matrix(grams.transform(queries), dtype=np.float64) @ counts.T).toarray().astype(np.float32)
    return scores


def edit(queries: Sequence[str], corpus: Sequence[str]) -> Scores:
    """1 - edit distance / longer length, of characters."""
    scores: Scores = cdist(queries, corpus, scorer=Levenshtein.normalized_similarity, dtype=np.float32)
    return scores


def phonetic(queries: Sequence[str], corpus: Sequence[str]) -> Scores:
    """The same of the Metaphone keys."""
    return edit(*([sounds_of(text).replace(" ", "") for text in texts] for texts in (queries, corpus)))


def letters(queries: Sequence[str], corpus: Sequence[str]) -> Scores:
    """The sketches with which the global index searches beside the encoder's vectors."""
    scores: Scores = sketch(queries) @ sketch(corpus).T
    return scores


def encoded(encode: Callable[[Sequence[str]], NDArray[np.float32]], queries: Sequence[str], corpus: Sequence[str]) -> Scores:
    """Inner products of an encoder's vectors."""
    scores: Scores = encode(queries) @ encode(corpus).T
    return scores


def zero_shot() -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """The pretrained encoder as it is packaged, with mean pooling."""
    from rewriter.bert.pretrained import load_pretrained
    from rewriter.bert.runtime import tokenize
    from rewriter.retrieval.model import BiEncoder, encode_tokens

    encoder, tokenizer = load_pretrained("", 0)
    module = BiEncoder(encoder).eval()
    return lambda texts: encode_tokens(module, tokenize(tokenizer, list(texts), 32))


def fused(*lists: Scores) -> Scores:
    """Reciprocal rank fusion: sum of 1 / (60 + rank).

    References
    ----------
    Cormack, Clarke and Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods".
    """
    ranks = (np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1) for scores in lists)
    return sum((1.0 / (_RANK_CONSTANT + rank + 1.0) for rank in ranks), np.zeros(lists[0].shape)).astype(np.float32)


def reranked(first: Scores, queries: Sequence[str], corpus: Sequence[str], ranker: Path) -> Scores:
    """The first ten of another list in the order of a bundle's cross-encoder."""
    from rewriter.ranking.cross_encoder import CrossEncoder

    model = CrossEncoder(ranker)
    out: Scores = first - first.max() - 1e6
    for row, query in enumerate(queries):
        best = np.argsort(-first[row], kind="stable")[:_RERANKED]
        out[row, best] = model.scores(query, [corpus[j] for j in best])
    return out


def _ranks(scores: Scores, data: Recordings) -> NDArray[np.int64]:
    """How many texts come before the meant one, for each query; a query's own text is no answer."""
    place = {text: j for j, text in enumerate(data.corpus)}
    own = np.array([place.get(text, -1) for text in data.heard])
    meant = scores[np.arange(len(own)), [place[text] for text in data.said]]
    before = (scores > meant[:, None]).sum(axis=1)
    before -= (own >= 0) & (scores[np.arange(len(own)), own] > meant)
    return np.asarray(before, np.int64)


def _share(found: NDArray[np.bool_]) -> dict[str, float]:
    k, n = int(found.sum()), len(found)
    low, high = wilson(k, n)
    return {"k": k, "n": n, "share": round(k / n, 4), "low": round(low, 4), "high": round(high, 4)}


def recall(scores: Scores, data: Recordings) -> dict[str, dict[str, float]]:
    """Share of queries whose meant text is among the best k, with its 95% Wilson interval."""
    ranks = _ranks(scores, data)
    return {f"recall@{k}": _share(ranks < k) for k in DEPTHS}


def candidates(meaning: Scores, spelling: Scores, data: Recordings, retrieval: Retrieval) -> dict[str, float]:
    """Share of queries whose meant text is among the candidates that the service takes from the global index."""
    return _share((_ranks(meaning, data) < retrieval.k_global) | (_ranks(spelling, data) < retrieval.k_letters))


def methods(data: Recordings, bundle: Path | None) -> dict[str, Scores]:
    """Scores of every way; without a bundle those that nothing was learnt for."""
    q, c = data.heard, data.corpus
    found = {"character BM25": bm25(q, c), "edit distance": edit(q, c), "phonetic distance": phonetic(q, c)}
    found |= {"MiniLM, zero-shot": encoded(zero_shot(), q, c), "letters": letters(q, c)}
    ours = found["MiniLM, zero-shot"]
    if bundle is not None:
        if (bundle / "ranker" / "model.onnx").exists():
            found["MiniLM, zero-shot, then cross-encoder"] = reranked(ours, q, c, bundle / "ranker")
        found["encoder of the bundle"] = ours = encoded(OnnxEncoder(bundle / "encoder").encode, q, c)
    found["encoder and letters, fused"] = fused(ours, found["letters"])
    return found
