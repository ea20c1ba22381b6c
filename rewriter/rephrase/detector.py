"""The trained span model at work: ONNX Runtime and tokenizers only, so that Spark's workers start fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from rewriter.bert.runtime import OnnxModel, load_tokenizer
from rewriter.errors import RewriterError
from rewriter.rephrase.decision import read_decision
from rewriter.rephrase.decode import best_turn, probabilities, rephrase_odds, span_scores
from rewriter.rephrase.encode import Encoded, encode
from rewriter.rephrase.evidence import VIEWS, evidence, failed_odds, rule_chance
from rewriter.rephrase.log import Bools, Floats, Ints, Log
from rewriter.rephrase.meaning import read_meaning

#: The model is run where the rules give a rephrase at least this chance: below it, hardly any is ever found.
READ_FROM = 0.03


def worth_reading(chance: Floats) -> Bools:
    """Which sources the model is run for, (n,), by the chances (n, w) of `rewriter.rephrase.evidence.rule_chance`."""
    return np.asarray(chance.max(axis=1, initial=0.0) >= READ_FROM)


def evidence_weights(folder: str | Path) -> Floats:
    """The trained weights of the evidence, (views,).

    Raises
    ------
    RewriterError
        If the folder's weights hold none, or those of other views than this version reads.
    """
    file = Path(folder) / "model.safetensors"
    try:
        with safe_open(file, framework="numpy") as weights:
            found = np.asarray(weights.get_tensor("evidence.weight"), np.float64).ravel()
    except (OSError, SafetensorError) as error:
        raise RewriterError(f"rephrase model {folder}: no readable weights of the evidence ({error})") from error
    if len(found) != len(VIEWS):
        raise RewriterError(f"{file}: weights of {len(found)} views, this version reads {len(VIEWS)}; train it again")
    return found


@dataclass(frozen=True)
class Detections:
    """One row a turn of the log.

    Attributes
    ----------
    turn
        The best later turn, counted from 1; 0 where no turn lies in the window, (n,).
    probability
        That it says the request again, (n,).
    read
        Whether the model was run, (n,).
    """

    turn: Ints
    probability: Floats
    read: Bools


def score_spans(model: OnnxModel, encoded: Encoded) -> Floats:
    """Scores of none and of each user turn, (m, 1 + window_turns), in batches of similar length."""
    out = np.full((len(encoded.start), 1 + encoded.start.shape[1]), -np.inf)
    for rows, (start_logits, end_logits) in model.run_all(encoded.tokens):
        out[rows] = span_scores(
            start_logits.astype(np.float64), end_logits.astype(np.float64), encoded.start[rows], encoded.end[rows]
        )
    return out


class SpanDetector:
    """A rephrase model read from its folder (``model.onnx``, its weights, ``tokenizer.json``, ``decision.json``)."""

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        self.decision = read_decision(folder)
        self._model = OnnxModel(folder, threads)
        self.tokenizer: Tokenizer = load_tokenizer(folder)
        self._weights = evidence_weights(folder)
        self._meaning = read_meaning(folder)

    def views(self, log: Log) -> Floats:
        """The evidence of every window of the log, (n, window_turns, views)."""
        decision = self.decision
        return evidence(log, decision.window_turns, decision.weak_similarity, self._meaning, decision.usual)

    def odds_at(self, log: Log, source: Ints, views: Floats) -> Callable[[float], Floats]:
        """Uncalibrated log-odds of the turns after each source, (m, window_turns), by the weight of the spans' scores.

        ``views`` has a row a source. The encoder is run once, whatever weights follow.
        """
        scores = score_spans(self._model, encode(log, source, views, self.tokenizer, self.decision.max_length))
        weighed, failed = views @ self._weights, failed_odds(log.defect[source], views)
        return lambda span_weight: rephrase_odds(scores, weighed, failed, span_weight)

    def odds(self, log: Log, source: Ints, views: Floats) -> Floats:
        """Uncalibrated log-odds by the weight that the decision gives the spans; for 0 the encoder is not run."""
        if self.decision.span_weight:
            return self.odds_at(log, source, views)(self.decision.span_weight)
        present = np.arange(1 + views.shape[1]) <= log.following[source][:, None]
        failed = failed_odds(log.defect[source], views)
        return rephrase_odds(np.where(present, 0.0, -np.inf), views @ self._weights, failed)

    def detect(self, log: Log) -> Detections:
        """The best later turn of every turn of the log, and its probability.

        Where the model is not run (see `worth_reading`), the likeliest turn by the rules gets ``skipped_probability``.
        """
        views = self.views(log)
        chance = rule_chance(log, views)
        read = worth_reading(chance)
        turn = np.where(log.following > 0, np.argmax(chance, axis=1) + 1, 0)
        probability = np.where(log.following > 0, self.decision.skipped_probability, 0.0)
        source = np.flatnonzero(read)
        if len(source):
            calibration = self.decision.calibration
            odds = self.odds(log, source, views[source])
            chances = probabilities(odds, calibration.temperature, calibration.null_bias)
            turn[source], probability[source] = best_turn(chances, log.following[source])
        return Detections(turn, probability, read)
