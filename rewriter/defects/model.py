"""The defect model: evidence weighed by its agreement, offline and at run time, kept as readable JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewriter.defects.features import FEATURES, GROUPS, MEANT, RUNTIME_GROUPS
from rewriter.defects.rules import CEILING, FLOOR
from rewriter.defects.view import Bools, Floats
from rewriter.errors import RewriterError
from rewriter.odds import logit, sigmoid

FILE = "defects.json"
VARIANTS = ("offline", "runtime")
#: Chance of failure of a turn that NLU understood nothing of, and how much the other evidence moves it: noise and words
#: meant for somebody else are among them, but most are requests.
LOST, LOST_SPREAD = 0.9, 0.5


def standardise(features: NDArray[np.float32], mean: Sequence[float], scale: Sequence[float]) -> Floats:
    """Features less their mean, by their scale, within 3 of it; unknown ones are 0, the mean."""
    z = (np.asarray(features, dtype=np.float64) - np.asarray(mean)) / np.asarray(scale)
    return np.asarray(np.nan_to_num(np.clip(z, -3.0, 3.0)))


@dataclass(frozen=True)
class Calibration:
    """Log-odds of a score: ``centre`` at the score's mean, ``width`` more for each ``spread`` above it."""

    mean: float = 0.0
    spread: float = 1.0
    centre: float = 0.0
    width: float = 1.0

    def log_odds(self, score: Floats, lost: Bools) -> Floats:
        """Log-odds of failure of n scores; those of `lost` turns start from `LOST`."""
        z = (score - self.mean) / self.spread
        return np.asarray(np.where(lost, logit(LOST) + LOST_SPREAD * z, self.centre + self.width * z))


@dataclass(frozen=True)
class DefectModel:
    """Weights of the standardised features; ``kind`` "rules" means that the log gave nothing to weigh them by."""

    kind: str
    base_rate: float
    anchor: str = ""
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    offline: Calibration = Calibration()
    runtime: Calibration = Calibration()
    metrics: dict[str, Any] = field(default_factory=dict)

    def score(self, features: NDArray[np.float32], variant: str = "offline", hidden: Sequence[str] = ()) -> Floats:
        """Weighted evidence of n turns; what is NaN adds nothing.

        Parameters
        ----------
        features
            Shape (n, len(FEATURES)), history included.
        variant
            "offline", or "runtime": nothing of the answer and of what followed.
        hidden
            Groups of `rewriter.defects.features.GROUPS` to leave out besides.
        """
        seen = set(RUNTIME_GROUPS if variant == "runtime" else GROUPS.values()) - set(hidden)
        weights = [w if GROUPS[name] in seen else 0.0 for name, w in zip(FEATURES, self.weights, strict=True)]
        return np.asarray(standardise(features, self.mean, self.scale) @ np.asarray(weights))

    def probability(
        self,
        features: NDArray[np.float32],
        lost: Bools,
        least: Floats | float = FLOOR,
        most: Floats | float = CEILING,
        variant: str = "offline",
    ) -> Floats:
        """Probability that each of n turns failed.

        Parameters
        ----------
        features
            Shape (n, len(FEATURES)), history included.
        lost
            Turns that NLU understood nothing of.
        least, most
            What explicit signals leave, see `rewriter.defects.rules.explicit_bounds`; not read at run time.
        variant
            One of `VARIANTS`.
        """
        calibration = self.runtime if variant == "runtime" else self.offline
        free = sigmoid(calibration.log_odds(self.score(features, variant), lost))
        bounded = free if variant == "runtime" else np.clip(free, least, most)
        return np.clip(bounded, FLOOR, CEILING)

    @property
    def needs_encoder(self) -> bool:
        """Whether something that an encoder tells has any weight."""
        return any(w != 0.0 and name in MEANT for name, w in zip(FEATURES, self.weights, strict=False))

    @property
    def version(self) -> str:
        """Short hash of the content."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()[:12]

    def _content(self) -> dict[str, Any]:
        rows = zip(FEATURES, self.mean, self.scale, self.weights, strict=True) if self.weights else ()
        return {
            "kind": self.kind,
            "base_rate": self.base_rate,
            "anchor": self.anchor,
            "features": [{"name": n, "group": GROUPS[n], "mean": m, "scale": s, "weight": w} for n, m, s, w in rows],
            "offline": asdict(self.offline),
            "runtime": asdict(self.runtime),
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
            anchor=content["anchor"],
            mean=tuple(r["mean"] for r in rows),
            scale=tuple(r["scale"] for r in rows),
            weights=tuple(r["weight"] for r in rows),
            offline=Calibration(**content["offline"]),
            runtime=Calibration(**content["runtime"]),
            metrics=content["metrics"],
        )
    except OSError as error:
        raise RewriterError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RewriterError(f"{path}: not a defect model ({error!r})") from error
