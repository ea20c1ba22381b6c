"""From which probability on the rephrase model's answer counts: one rule for every job."""

from __future__ import annotations

import json
from pathlib import Path

from rewriter.errors import RewriterError
from rewriter.settings import Settings


def rephrase_threshold(model: Path | None, settings: Settings) -> tuple[float, str]:
    """The probability and the model's version, from its folder's ``decision.json``; 0.5 without a folder.

    ``min_rephrase_probability`` of the settings, where set, comes before the model's own threshold.

    Raises
    ------
    RewriterError
        If the folder has no readable threshold.
    """
    named = settings.mine.min_rephrase_probability
    if model is None:
        return named or 0.5, "rephrases"
    file = model / "decision.json"
    try:
        decision = json.loads(file.read_text("utf-8"))
        return named or float(decision["threshold"]), str(decision["model_version"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RewriterError(f"{file}: no readable threshold ({error})") from error
