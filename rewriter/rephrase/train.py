"""Training of the span model on weak labels: which days, which examples, calibration, threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from rewriter.bert.pretrained import load_pretrained
from rewriter.bert.training import Progress, fit, freeze_words, shuffled_batches, tensors
from rewriter.rephrase.calibration import Calibration, best_threshold, calibrate_spans
from rewriter.rephrase.decode import best_turn, probabilities
from rewriter.rephrase.detector import worth_reading
from rewriter.rephrase.encode import encode
from rewriter.rephrase.evidence import failed_odds, rule_chance
from rewriter.rephrase.log import Bools, Floats, Ints, Log
from rewriter.rephrase.model import SpanModel, rephrase_odds, span_loss, span_scores
from rewriter.rephrase.weak_labels import KINDS, WeakLabels, take
from rewriter.settings import Settings

#: Share of the days, the last ones, that calibrate and set the threshold.
HELD_OUT_DAYS = 0.15
#: Most sources of those days that are scored; more change the threshold little.
MOST_HELD_OUT = 1500
#: Likely rephrases are at most this share of the examples, so that nulls stay the rule.
MOST_POSITIVE = 1 / 3
#: Share of the examples taken from nulls that the model will rarely be asked about: repeats and changed slots after success.
HARD_NULLS = 0.1
_LIKELY = 0.3

#: Source rows of the log -> weight of the spans' scores -> uncalibrated log-odds, (m, w).
Score = Callable[[Ints], Callable[[float], Floats]]


def held_out_days(days: Sequence[str]) -> frozenset[str]:
    """The last days of a log, 15% of them and at least one; none if there is only one.

    >>> sorted(held_out_days(["d1", "d2", "d3"]))
    ['d3']
    """
    ordered = sorted(set(days))
    n_held = max(1, round(HELD_OUT_DAYS * len(ordered))) if len(ordered) > 1 else 0
    return frozenset(ordered[len(ordered) - n_held :])


def held_out(source: Ints, day: NDArray[np.str_]) -> Bools:
    """Which sources lie on held-out days, (m,); ``day`` has a row a turn of the log."""
    return np.isin(day[source], sorted(held_out_days(day.tolist())))


def _some(rng: np.random.Generator, rows: Ints, n: int) -> Ints:
    return np.sort(rng.permutation(rows)[: max(0, n)])


def choose_examples(labels: WeakLabels, read: Bools, n: int, seed: int) -> Ints:
    """Row numbers of at most ``n`` labels to learn from, ordered: likely rephrases up to a third, hard nulls, the rest.

    Parameters
    ----------
    read
        Which labels belong to sources that the model will be run for, (m,).
    """
    rng = np.random.default_rng(seed)
    likely = labels.probability >= _LIKELY
    hard = np.isin(labels.kind, [KINDS.index("repeat_after_success"), KINDS.index("slot_changed")]) & ~read
    positives = _some(rng, np.flatnonzero(likely), round(n * MOST_POSITIVE))
    hard_nulls = _some(rng, np.flatnonzero(hard), min(round(n * HARD_NULLS), 1 + 2 * len(positives)))
    rest = _some(rng, np.flatnonzero(read & ~likely), n - len(positives) - len(hard_nulls))
    return np.sort(np.concatenate([positives, hard_nulls, rest]))


def train_model(
    log: Log, views: Floats, labels: WeakLabels, settings: Settings, progress: Progress | None = None
) -> tuple[SpanModel, Tokenizer]:
    """A span model fine-tuned on the labels, in evaluation mode, and its tokenizer.

    ``views`` is `rewriter.rephrase.evidence.evidence` of the whole log.
    """
    encoder, tokenizer = load_pretrained(settings.train.encoder, settings.seed)
    model = SpanModel(encoder, tokenizer, settings.seed)
    encoded = encode(log, labels.source, views[labels.source], tokenizer, settings.rephrase.max_length)
    freeze_words(model.encoder)
    chance = torch.from_numpy(labels.chance.astype(np.float32))
    seen = torch.from_numpy(views[labels.source].astype(np.float32))
    failed = torch.from_numpy(failed_odds(log.defect[labels.source], views[labels.source]).astype(np.float32))
    start, end = torch.from_numpy(encoded.start), torch.from_numpy(encoded.end)

    def loss_of(rows: Ints) -> torch.Tensor:
        at = torch.from_numpy(rows)
        start_logits, end_logits = model(*tensors(encoded.tokens, rows))
        spans = span_scores(start_logits, end_logits, start[at], end[at])
        return span_loss(rephrase_odds(spans, model.evidence(seen[at]), failed[at]), chance[at])

    batches = shuffled_batches(len(encoded.start), settings.train.batch_size, settings.seed, encoded.tokens.lengths)
    fit(model, batches, loss_of, settings.train, seed=settings.seed, progress=progress)
    return model, tokenizer


def relabelled(labels: WeakLabels, chances: Floats) -> WeakLabels:
    """The labels, their chances halfway to those of a model, (m, w)."""
    return replace(labels, chance=(labels.chance + chances) / 2)


@dataclass(frozen=True)
class Judged:
    """Calibration and threshold, with what they reach on the held-out labels they come from."""

    calibration: Calibration
    threshold: float
    skipped_probability: float
    metrics: dict[str, float]


def judge(log: Log, views: Floats, held: WeakLabels, score: Score, seed: int) -> Judged:
    """Calibrate on held-out weak labels and choose the threshold of the best expected F1.

    F1 and not F0.5: mining weighs each rephrase by its probability and asks for many users, so a missed one costs as much
    as a wrong one; a turn that means the same as a request that did not fail is a harmless repeat. Sources that the model
    is not run for are nulls by rule; it is still run on a sample of them for the probability that a skipped request gets,
    at most half the threshold.

    Parameters
    ----------
    score
        Runs the encoder for source rows, see `Score`.
    """
    rng = np.random.default_rng(seed)
    read = worth_reading(rule_chance(log, views))[held.source]
    asked = take(held, _some(rng, np.flatnonzero(read), MOST_HELD_OUT))
    skipped = take(held, _some(rng, np.flatnonzero(~read), MOST_HELD_OUT // 10))
    odds_at = score(asked.source)
    found, losses = calibrate_spans(odds_at, asked.chance)
    chances = probabilities(odds_at(found.span_weight), found.temperature, found.null_bias)
    turn, probability = best_turn(chances, log.following[asked.source])
    gain, harm = asked.verdict(turn)
    threshold, f1 = best_threshold(probability, gain, asked.expected, harm)
    quiet = 0.0
    if len(skipped.source):
        others = probabilities(score(skipped.source)(found.span_weight), found.temperature, found.null_bias)
        quiet = float(best_turn(others, log.following[skipped.source])[1].mean())
    chosen = probability >= threshold
    metrics = {
        "expected_f1": f1,
        "expected_precision": float(gain[chosen].sum() / max((gain + harm)[chosen].sum(), 1e-12)),
        "expected_recall": float(gain[chosen].sum() / max(asked.expected, 1e-12)),
        "cross_entropy": losses[found.span_weight],
        "cross_entropy_without_spans": losses[0.0],
        "cross_entropy_with_spans_in_full": losses[1.0],
        "calibration_error": _calibration_error(probability, gain / np.maximum(gain + harm, 1e-12)),
        "held_out_sources": float(len(asked.source)),
        "share_read": float(read.mean()) if len(read) else 0.0,
    }
    return Judged(found, threshold, min(quiet, threshold / 2), metrics)


def _calibration_error(probability: Floats, gain: Floats, n_bins: int = 10) -> float:
    """Mean distance of predicted and expected share over bins of equal mass."""
    if not len(probability):
        return 0.0
    parts = np.array_split(np.argsort(probability, kind="stable"), n_bins)
    return float(sum(abs(probability[p].mean() - gain[p].mean()) * len(p) for p in parts if len(p)) / len(probability))
