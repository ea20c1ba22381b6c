"""Arms of the live experiment: who is never rewritten, and which share of a pair's traffic is withheld."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAME = "rewriting"


def share_of(*parts: str) -> float:
    """A number in [0, 1) that follows from the texts alone, uniform over texts."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2.0**64


@dataclass(frozen=True)
class Assignment:
    """One answer's arm and the chance it had to be in that arm."""

    arm: str  # of schemas.tables.ARMS
    propensity: float

    @property
    def serves(self) -> bool:
        """Whether the rewrite is given out."""
        return self.arm == "treatment"

    def body(self) -> dict[str, Any]:
        """As the answer shows it."""
        return {"name": NAME, "arm": self.arm, "propensity": self.propensity}


@dataclass(frozen=True)
class Experiment:
    """Shares of the arms; assignments follow from hashes, so every server and every day gives a user the same arm.

    Attributes
    ----------
    control
        Share of users that are never rewritten.
    holdout
        Share of the other users from whom any one rewrite is withheld, drawn anew for each rewrite.
    """

    control: float = 0.0
    holdout: float = 0.0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Experiment:
        """The experiment of a bundle's settings."""
        section = settings.get("experiment", {})
        return cls(float(section.get("control", 0.0)), float(section.get("holdout", 0.0)))

    def assign(self, unit: str, rewrite_id: str | None) -> Assignment:
        """The arm of a user (or session, or request, where no user is known) for one rewrite, None where there is none."""
        if share_of(NAME, "control", unit) < self.control:
            return Assignment("control", self.control)
        if rewrite_id is None:
            return Assignment("treatment", 1.0 - self.control)
        if share_of(NAME, "holdout", unit, rewrite_id) < self.holdout:
            return Assignment("holdout", (1.0 - self.control) * self.holdout)
        return Assignment("treatment", (1.0 - self.control) * (1.0 - self.holdout))
