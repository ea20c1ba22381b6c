"""The trained span model at work: ONNX Runtime and tokenizers only, so that Spark's workers start fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from rewriter.bert.runtime import OnnxModel, load_tokenizer
from rewriter.rephrase.closeness import window_matrix
from rewriter.rephrase.decision import read_decision
from rewriter.rephrase.decode import best_turn, probabilities, span_scores
from rewriter.rephrase.encode import Encoded, encode
from rewriter.rephrase.log import Bools, Floats, Ints, Log
from rewriter.rephrase.weak_labels import FAR_BELOW, FINE_BELOW

#: A request that failed so likely is always read by the model, however different what follows looks.
READ_ALWAYS = 0.5


def worth_reading(log: Log, close: Floats) -> Bools:
    """Which sources the model is run for, (n,): a turn in the window, and not clearly fine.

    One that may have failed (at least 0.2) needs a later turn that is not entirely different (closeness at least 0.3); one
    that probably failed (at least 0.5) is read whatever follows. All others are nulls by the rules that taught the model.
    """
    closest = close.max(axis=1, initial=-1.0)
    doubtful = (log.defect >= FINE_BELOW) & (closest >= FAR_BELOW)
    return np.asarray((log.following > 0) & (doubtful | (log.defect >= READ_ALWAYS)))


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
    """A rephrase model read from its folder (``model.onnx``, ``tokenizer.json``, ``decision.json``)."""

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        self.decision = read_decision(folder)
        self._model = OnnxModel(folder, threads)
        self._tokenizer: Tokenizer = load_tokenizer(folder)

    def scores(self, log: Log, source: Ints, close: Floats) -> Floats:
        """Uncalibrated scores of the sources, (m, 1 + window_turns); ``close`` has a row a source."""
        return score_spans(self._model, encode(log, source, close, self._tokenizer, self.decision.max_length))

    def detect(self, log: Log) -> Detections:
        """The best later turn of every turn of the log, and its probability.

        Where the model is not run (see `worth_reading`), the closest later turn gets ``skipped_probability``.
        """
        close = window_matrix(log, self.decision.window_turns)
        read = worth_reading(log, close)
        turn = np.where(log.following > 0, np.argmax(close, axis=1) + 1, 0)
        probability = np.where(log.following > 0, self.decision.skipped_probability, 0.0)
        source = np.flatnonzero(read)
        if len(source):
            calibration = self.decision.calibration
            scores = self.scores(log, source, close[source])
            chances = probabilities(scores, calibration.temperature, calibration.null_bias)
            turn[source], probability[source] = best_turn(chances, log.following[source])
        return Detections(turn, probability, read)
