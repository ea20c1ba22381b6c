"""What turns the span model's scores into an answer: calibration, threshold and the version of all of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rewriter.errors import RewriterError
from rewriter.rephrase.calibration import Calibration
from rewriter.rephrase.log import Records
from rewriter.rephrase.usual import Usual


@dataclass(frozen=True)
class RephraseDecision:
    """Contents of ``decision.json``.

    Attributes
    ----------
    threshold
        A rephrase counts from this probability on.
    temperature, null_bias, span_weight
        Of the calibration; with a weight of 0 the encoder is not run.
    skipped_probability
        Given to the likeliest later turn of a request for which the model is not run.
    usual_failed, usual_fine
        Of `rewriter.rephrase.usual.Usual`, of the log that was learnt from.
    has_intents, has_answers
        What the log that was learnt from records.
    window_turns, max_length, weak_similarity
        What the model was trained with.
    model_version
        Names weights and decision together.
    """

    threshold: float
    temperature: float
    null_bias: float
    span_weight: float
    skipped_probability: float
    usual_failed: float
    usual_fine: float
    has_intents: bool
    has_answers: bool
    window_turns: int
    max_length: int
    weak_similarity: float
    model_version: str

    @property
    def calibration(self) -> Calibration:
        """Temperature, null bias and weight of the spans."""
        return Calibration(self.temperature, self.null_bias, self.span_weight)

    @property
    def usual(self) -> Usual:
        """How often the log that was learnt from says things again."""
        return Usual(self.usual_failed, self.usual_fine)

    @property
    def records(self) -> Records:
        """What a log records that this model judges."""
        return Records(self.has_intents, self.has_answers)

    def write(self, folder: Path) -> None:
        """Write ``decision.json``."""
        (folder / "decision.json").write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n", "utf-8")


def read_decision(folder: str | Path) -> RephraseDecision:
    """The ``decision.json`` of a rephrase model.

    Raises
    ------
    RewriterError
        If it is missing or not what `RephraseDecision.write` writes.
    """
    file = Path(folder) / "decision.json"
    try:
        return RephraseDecision(**json.loads(file.read_text("utf-8")))
    except OSError as error:
        raise RewriterError(f"rephrase model {folder}: no readable decision.json ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        raise RewriterError(f"{file}: not the decision of a rephrase model ({error})") from error
