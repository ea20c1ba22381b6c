"""Training the ranker: the cross-encoder on weakly labelled pairs of texts, then the two combiners."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from rewriter.bert.onnx import example_batch, export_int8
from rewriter.bert.pretrained import first_layers, load_pretrained
from rewriter.bert.runtime import tokenize_pairs
from rewriter.bert.training import Progress, fit, freeze_words, shuffled_batches, tensors
from rewriter.errors import RewriterError
from rewriter.odds import sigmoid
from rewriter.ranking.combiner import Combiner, Floats, fit_combiner, out_of_fold
from rewriter.ranking.cross_encoder import MAX_LENGTH, CrossEncoder
from rewriter.ranking.features import CROSS_ENCODER, NAMES
from rewriter.ranking.ranker import CARD, worth_reading
from rewriter.settings import Settings, Train

N_FOLDS = 5
MIN_WINS = 20  # fewer examples of either kind do not teach
MIN_OTHERS = 5  # of those worth reading; the first stage has learnt from the rest


class CrossEncoderModule(nn.Module):
    """BERT over ``[CLS] request [SEP] candidate [SEP]``, mean pooled, to one logit (n, 1)."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(int(encoder.config.hidden_size), 1)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        """Logits (n, 1) of int64 inputs (n, length)."""
        out = self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        hidden = out.last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)
        logits: torch.Tensor = self.head(mean)
        return logits


@dataclass(frozen=True)
class Examples:
    """Candidates of past requests, the rows of one request together.

    Attributes
    ----------
    requests, candidates
        Normalised texts (n,).
    groups
        Number of the request (n,), non-decreasing.
    users
        Fold of the request's user (n,), 0 to `N_FOLDS` - 1.
    labels
        1 = the rewrite wins (n,).
    weights
        How many requests of the log each row stands for (n,).
    features
        (n, len(FEATURES)).
    """

    requests: tuple[str, ...]
    candidates: tuple[str, ...]
    groups: NDArray[np.int64]
    users: NDArray[np.int64]
    labels: Floats
    weights: Floats
    features: Floats

    @property
    def is_enough(self) -> bool:
        """Whether there are enough of both labels to learn from."""
        n_wins = int(self.labels.sum())
        return min(n_wins, len(self.labels) - n_wins) >= MIN_WINS

    def without(self, names: Sequence[str]) -> Examples:
        """The same with these features always 0, so that a combiner gives them no weight.

        Raises
        ------
        RewriterError
            Naming those that are no features.
        """
        if unknown := sorted(set(names) - set(NAMES)):
            raise RewriterError(f"[decide] without_features: no feature is named {', '.join(unknown)}")
        features = self.features.copy()
        features[:, [NAMES.index(name) for name in names]] = 0.0
        return replace(self, features=features)


def fold_of(user_id: str) -> int:
    """Fold of a user, the same in every process."""
    return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest()[0] % N_FOLDS


def _balanced(labels: Floats, seed: int) -> NDArray[np.int64]:
    """Row numbers with at most three others to a win, in a seeded order."""
    rng = np.random.default_rng(seed)
    wins, others = np.flatnonzero(labels > 0.5), np.flatnonzero(labels <= 0.5)
    kept = rng.permutation(others)[: 3 * len(wins)]
    return np.sort(np.concatenate([wins, kept])).astype(np.int64)


def train_cross_encoder(
    requests: Sequence[str],
    candidates: Sequence[str],
    labels: Floats,
    train: Train,
    out: Path,
    *,
    seed: int,
    n_layers: int = 0,
    progress: Progress | None = None,
) -> list[float]:
    """Fine-tune on (request, candidate) texts with labels in {0, 1}; writes ``model.onnx`` (int8) and ``tokenizer.json``.

    Only the encoder's first ``n_layers`` layers are kept, all of them for 0. Returns the loss of each step.
    """
    encoder, tokenizer = load_pretrained(train.encoder, seed)
    torch.manual_seed(seed)
    module = CrossEncoderModule(first_layers(encoder, n_layers) if n_layers else encoder)
    freeze_words(module.encoder)
    rows = _balanced(labels, seed)
    tokens = tokenize_pairs(tokenizer, [requests[i] for i in rows], [candidates[i] for i in rows], MAX_LENGTH)
    truth = torch.from_numpy(labels[rows].astype(np.float32))

    def loss_of(batch: NDArray[np.int64]) -> torch.Tensor:
        logits = module(*tensors(tokens, batch)).float().reshape(-1)
        return nn.functional.binary_cross_entropy_with_logits(logits, truth[torch.from_numpy(batch)])

    batches = shuffled_batches(len(rows), train.batch_size, seed, tokens.lengths)
    losses = fit(module, batches, loss_of, train, seed=seed, progress=progress)
    _save(module, tokenizer, out)
    return losses


def _save(module: CrossEncoderModule, tokenizer: Tokenizer, out: Path) -> None:
    names = ("input_ids", "attention_mask", "token_type_ids")
    model, words = model_files(out)
    export_int8(module, example_batch(3), names, ("logit",), model)
    tokenizer.save(str(words))


def model_files(folder: Path) -> tuple[Path, Path]:
    """The cross-encoder's graph and tokenizer in the ranker's folder."""
    return folder / "model.onnx", folder / "tokenizer.json"


def _read_few(examples: Examples, first: Combiner, model: CrossEncoder, k: int) -> tuple[NDArray[np.int64], Floats]:
    """Rows that the run-time ranker would have read by the cross-encoder, and their logits."""
    probabilities = first.probabilities(examples.features)
    starts = np.flatnonzero(np.diff(examples.groups, prepend=-1))
    rows: list[int] = []
    logits: list[float] = []
    for start, stop in zip(starts, [*starts[1:], len(examples.groups)], strict=True):
        few = [int(start) + i for i in worth_reading(probabilities[start:stop], k)]
        rows += few
        if few:
            logits += model.scores(examples.requests[start], [examples.candidates[i] for i in few]).tolist()
    order = np.argsort(rows, kind="stable")
    return np.array(rows, np.int64)[order], np.array(logits)[order]


def _left_out(x: Floats, examples: Examples, rows: NDArray[np.int64], names: tuple[str, ...]) -> Floats:
    """Logits (m,) of rows for users that were left out; NaN where a fold has not both labels."""
    return out_of_fold(x, examples.labels[rows], examples.weights[rows], examples.users[rows], names)


def _losses(labels: Floats, logits: Floats) -> Floats:
    """Log loss of each row, (m,)."""
    p = np.clip(sigmoid(logits), 1e-9, 1 - 1e-9)
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p))


def _quality(logits: Floats, examples: Examples, rows: NDArray[np.int64]) -> dict[str, float]:
    """Log loss and share of right orders (AUC) of logits."""
    seen = np.isfinite(logits)
    y, w, logits = examples.labels[rows][seen], examples.weights[rows][seen], logits[seen]
    if not 0 < y.sum() < len(y):
        return {"n": len(y)}
    loss = np.average(_losses(y, logits), weights=w)
    ranks = np.empty(len(logits))
    ranks[np.argsort(logits, kind="stable")] = np.arange(1, len(logits) + 1)
    n_wins = y.sum()
    auc = (ranks[y > 0.5].sum() - n_wins * (n_wins + 1) / 2) / (n_wins * (len(y) - n_wins))
    return {"n": len(y), "wins": int(n_wins), "log_loss": round(float(loss), 6), "auc": round(float(auc), 6)}


def surely_better(before: Floats, after: Floats, examples: Examples, rows: NDArray[np.int64]) -> bool:
    """Whether the loss falls from logits to logits (m,) by more than a standard error, whole requests drawn."""
    seen = np.isfinite(before) & np.isfinite(after)
    rows = rows[seen]
    labels = examples.labels[rows]
    fall = examples.weights[rows] * (_losses(labels, before[seen]) - _losses(labels, after[seen]))
    request = np.unique(examples.groups[rows], return_inverse=True)[1]
    falls = np.bincount(request, fall)
    return bool(falls.sum() > np.sqrt(len(falls)) * falls.std())


def train_ranker(
    texts: Examples,
    examples: Examples,
    settings: Settings,
    out: Path,
    say: Callable[[str], None],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write ``ranker.json`` and the cross-encoder, if it surely helps; returns the card.

    Parameters
    ----------
    texts
        Teach the cross-encoder; of days before those of ``examples``, so that its scores there are honest.
    examples
        Teach the combiners.
    """
    card: dict[str, Any] = {
        "first": None,
        "full": None,
        "metrics": {},
        "k_cross_encoder": settings.retrieval.k_cross_encoder,
    }
    if not examples.is_enough:
        card["reason"] = f"too few examples: {int(examples.labels.sum())} wins of {len(examples.labels)} candidates"
        return _write(card, out)
    examples = examples.without(settings.decide.without_features)
    x, y, w, folds = examples.features, examples.labels, examples.weights, examples.users
    first = fit_combiner(x, y, w, folds, NAMES)
    card["first"] = first.as_json()
    every = np.arange(len(y))
    card["metrics"]["first"] = _quality(_left_out(x, examples, every, NAMES), examples, every)
    if texts.is_enough and settings.retrieval.k_cross_encoder > 0:
        say(f"cross-encoder: {len(texts.labels)} pairs of texts, {int(texts.labels.sum())} of them right")
        losses = train_cross_encoder(
            texts.requests,
            texts.candidates,
            texts.labels,
            settings.train,
            out,
            seed=settings.seed,
            n_layers=settings.retrieval.layers_cross_encoder,
            progress=progress,
        )
        card["metrics"]["cross_encoder"] = {"pairs": len(texts.labels), "last_loss": round(float(np.mean(losses[-10:])), 6)}
        if not _second_stage(card, examples, first, CrossEncoder(out), settings.retrieval.k_cross_encoder):
            say("cross-encoder: left out, since it does not surely help for users that were left out")
            for path in model_files(out):
                path.unlink()
    return _write(card, out)


def _second_stage(card: dict[str, Any], examples: Examples, first: Combiner, model: CrossEncoder, k: int) -> bool:
    """Whether the cross-encoder is worth its time; if so, its combiner is in the card."""
    rows, logits = _read_few(examples, first, model, k)
    y = examples.labels[rows]
    if y.sum() < MIN_WINS or len(y) - y.sum() < MIN_OTHERS:
        return False
    names = (*NAMES, CROSS_ENCODER.name)
    x = np.column_stack([examples.features[rows], logits])
    without, beside = _left_out(x[:, :-1], examples, rows, NAMES), _left_out(x, examples, rows, names)
    card["metrics"]["full"] = _quality(beside, examples, rows)
    card["metrics"]["first_on_the_same_rows"] = _quality(without, examples, rows)
    if not surely_better(without, beside, examples, rows):
        return False
    card["full"] = fit_combiner(x, y, examples.weights[rows], examples.users[rows], names).as_json()
    return True


def _write(card: dict[str, Any], out: Path) -> dict[str, Any]:
    body = json.dumps(card, sort_keys=True)
    card["model_version"] = "ranker-" + hashlib.sha256(body.encode()).hexdigest()[:12]
    (out / CARD).write_text(json.dumps(card, sort_keys=True, indent=2) + "\n", "utf-8")
    return card
