"""Training of the bi-encoder: in-batch negatives, and hard negatives mined from its own index, refreshed half way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from rewriter.bert.runtime import Tokens, tokenize
from rewriter.bert.training import Progress, fit, freeze_words, tensors
from rewriter.retrieval.loss import false_negatives, info_nce
from rewriter.retrieval.mining import hard_negatives
from rewriter.retrieval.model import BiEncoder, encode_tokens
from rewriter.retrieval.pairs import KINDS, Known, Pair
from rewriter.settings import Train

#: Shares of a batch by kind; what a log lacks goes to the others.
SHARES = {"rephrase": 0.5, "alternative": 0.25, "wording": 0.25}
_REFRESHES = 2

Vectors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Lexicon:
    """Texts with their tokens, each text once."""

    rows: dict[str, int]
    tokens: Tokens

    @classmethod
    def of(cls, tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> Lexicon:
        """The distinct texts, tokenised."""
        distinct = sorted(set(texts))
        return cls({text: i for i, text in enumerate(distinct)}, tokenize(tokenizer, distinct, max_length))

    def only(self, texts: Sequence[str]) -> Lexicon:
        """The lexicon of these of its texts."""
        distinct = sorted(set(texts))
        ids = [self.tokens.ids[self.tokens.starts[i] : self.tokens.starts[i + 1]] for i in (self.rows[t] for t in distinct)]
        return Lexicon({text: i for i, text in enumerate(distinct)}, Tokens.of([row.tolist() for row in ids]))

    def inputs(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded ids and mask of the texts."""
        ids, mask, _ = tensors(self.tokens, np.array([self.rows[text] for text in texts], np.int64))
        return ids, mask

    def vectors(self, module: BiEncoder) -> dict[str, NDArray[np.float32]]:
        """Each text's vector (dim,)."""
        matrix = encode_tokens(module, self.tokens)
        return {text: matrix[row] for text, row in self.rows.items()}


@dataclass(frozen=True)
class Batch:
    """Pairs, and the candidates they share: the pairs' targets in order, then hard negatives."""

    pairs: Sequence[Pair]
    candidates: Sequence[Known]
    masked: NDArray[np.bool_]


def sample(pairs: Sequence[Pair], n: int, seed: int) -> list[Pair]:
    """``n`` pairs in random order, kinds by `SHARES`; a kind that runs out starts again."""
    rng = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS if any(p.kind == kind for p in pairs)]
    weights = np.array([SHARES[kind] for kind in kinds])
    drawn = rng.choice(len(kinds), size=n, p=weights / weights.sum())
    queues = [_endless([p for p in pairs if p.kind == kind], rng) for kind in kinds]
    return [next(queues[kind]) for kind in drawn]


def _endless(pairs: Sequence[Pair], rng: np.random.Generator) -> Iterator[Pair]:
    while True:
        for i in rng.permutation(len(pairs)):
            yield pairs[i]


def batches(
    module: BiEncoder,
    lexicon: Lexicon,
    pairs: Sequence[Pair],
    corpus: Sequence[Known],
    batch_size: int,
    vectors: Vectors | None = None,
) -> Iterator[Batch]:
    """The pairs, already in order, ``batch_size`` at a time, with a hard negative each.

    They are mined before the first batch, from ``vectors`` if the module's are at hand, and again, by the module as it is
    by then, half way.
    """
    positives = frozenset((p.query, p.target) for p in pairs)
    part = -(-len(pairs) // (_REFRESHES * batch_size)) * batch_size
    for first in range(0, len(pairs), part):
        chosen = pairs[first : first + part]
        at_hand = vectors if vectors is not None and first == 0 else lexicon.vectors(module)
        mined = hard_negatives(chosen, corpus, at_hand, positives)
        for start in range(0, len(chosen), batch_size):
            rows = chosen[start : start + batch_size]
            hard = dict.fromkeys(one for near in mined[start : start + batch_size] for one in near)
            candidates = [*(Known(p.target, p.meaning) for p in rows), *hard]
            yield Batch(rows, candidates, false_negatives(rows, candidates, positives))


def train_bi_encoder(
    module: BiEncoder,
    lexicon: Lexicon,
    pairs: Sequence[Pair],
    corpus: Sequence[Known],
    train: Train,
    *,
    seed: int,
    vectors: Vectors | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Train the module in place on the pairs, in their order, once; returns the loss of each step.

    ``lexicon`` holds every text of the pairs and of the corpus, the requests known to succeed. The same inputs, seed and
    threads give the same weights.
    """
    freeze_words(module.encoder)

    def loss_of(batch: Batch) -> torch.Tensor:
        n = len(batch.pairs)
        both = module(*lexicon.inputs([*(p.query for p in batch.pairs), *(c.text for c in batch.candidates)]))
        return info_nce(both[:n], both[n:], torch.from_numpy(batch.masked))

    made = batches(module, lexicon, pairs, corpus, train.batch_size, vectors)
    steps = -(-len(pairs) // train.batch_size)
    return fit(module, made, loss_of, train, seed=seed, steps=steps, progress=progress)
