"""The defect model: rules, and log-linear evidence from soft features, kept as readable JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewriter.defects.features import FEATURES, GROUPS
from rewriter.defects.rules import CEILING, FLOOR, logit, sigmoid
from rewriter.defects.view import Floats
from rewriter.errors import RewriterError

FILE = "defects.json"
#: How much of the soft evidence is added to the rules' log-odds: half, because it is correlated with what they read.
EVIDENCE_SHARE = 0.5


def standardise(features: NDArray[np.float32], mean: Sequence[float], scale: Sequence[float]) -> Floats:
    """Features less their mean, by their scale, within 6 of it; unknown ones are 0, the mean."""
    z = (np.asarray(features, dtype=np.float64) - np.asarray(mean)) / np.asarray(scale)
    return np.asarray(np.nan_to_num(np.clip(z, -6.0, 6.0)))


@dataclass(frozen=True)
class DefectModel:
    """Weights of the standardised soft features; ``kind`` "rules" means that the rules were as good and stand alone.

    ``normaliser`` makes the evidence neutral on the training log: its mean likelihood ratio there is 1.
    """

    kind: str
    base_rate: float
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    normaliser: float = 0.0
    metrics: dict[str, Any] = field(default_factory=dict)

    def evidence(self, features: NDArray[np.float32], hidden: str = "") -> Floats:
        """Log likelihood ratio of failure that n turns' soft features add; what is NaN adds nothing.

        Parameters
        ----------
        features
            Shape (n, len(FEATURES)), history included.
        hidden
            A group of `rewriter.defects.features.GROUPS` to leave out.
        """
        weights = [0.0 if GROUPS[name] == hidden else w for name, w in zip(FEATURES, self.weights, strict=True)]
        return np.asarray(standardise(features, self.mean, self.scale) @ np.asarray(weights) - self.normaliser)

    def probability(self, features: NDArray[np.float32], rules: Floats, floor: Floats) -> Floats:
        """Probability that each turn failed: rules and evidence joined, and never below what explicit signals say.

        Parameters
        ----------
        features
            Shape (n, len(FEATURES)), history included.
        rules, floor
            `rewriter.defects.rules.rule_probability` and `explicit_floor`, n each.
        """
        if self.kind == "rules":
            return rules
        joint = sigmoid(logit(rules) + EVIDENCE_SHARE * self.evidence(features))
        return np.clip(np.maximum(joint, floor), FLOOR, CEILING)

    @property
    def version(self) -> str:
        """Short hash of the content."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()[:12]

    def _content(self) -> dict[str, Any]:
        rows = zip(FEATURES, self.mean, self.scale, self.weights, strict=True) if self.weights else ()
        return {
            "kind": self.kind,
            "base_rate": self.base_rate,
            "features": [{"name": n, "group": GROUPS[n], "mean": m, "scale": s, "weight": w} for n, m, s, w in rows],
            "normaliser": self.normaliser,
            "evidence_share": EVIDENCE_SHARE,
            "metrics": self.metrics,
        }

    def save(self, folder: Path) -> None:
        """Write ``defects.json``; the same model gives the same bytes."""
        content = self._content() | {"model_version": self.version}
        (folder / FILE).write_text(json.dumps(content, sort_keys=True, indent=2) + "\n", "utf-8")


def load_model(folder: Path) -> DefectModel:
    """The model of a folder that train_defects wrote.

    Raises
    ------
    RewriterError
        If the file is missing, is not JSON, or was trained for other features.
    """
    path = Path(folder) / FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        rows = content["features"]
        if rows and tuple(r["name"] for r in rows) != FEATURES:
            raise RewriterError(f"{path}: trained for other features than this version has; train it again")
        return DefectModel(
            kind=content["kind"],
            base_rate=content["base_rate"],
            mean=tuple(r["mean"] for r in rows),
            scale=tuple(r["scale"] for r in rows),
            weights=tuple(r["weight"] for r in rows),
            normaliser=content["normaliser"],
            metrics=content["metrics"],
        )
    except OSError as error:
        raise RewriterError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RewriterError(f"{path}: not a defect model ({error!r})") from error
