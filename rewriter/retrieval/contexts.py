"""What people ask in which context: how much likelier a meaning is after what the assistant just said or showed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rewriter.errors import RewriterError
from rewriter.intents import understood
from rewriter.text import normalise

#: A name and its value: an item of the request's ``context``, or the assistant's last response.
Context = tuple[str, str]
RESPONSE = "response"
FILE = "contexts.json"

#: Users imagined to have asked as much as expected, so that few users say little.
_PRIOR = 1.0


def shape_of(domain: str | None, intent: str | None, slots: Iterable[str]) -> str | None:
    """What is asked, whatever it is asked of: domain, intent and the names of the slots; None where nothing is understood.

    >>> shape_of("music", "play", {"song": "Halo", "artist": "X"})
    'music|play|artist|song'
    """
    return None if understood(intent) is None else "|".join([domain or "", intent or "", *sorted(slots)])


def contexts_of(context: Mapping[str, str], response: str | None) -> tuple[Context, ...]:
    """The contexts of a request; responses are normalised."""
    said = normalise(response or "")
    return (*((name, value) for name, value in context.items() if value), *([(RESPONSE, said)] if said else []))


@dataclass(frozen=True)
class Contexts:
    """Users who succeeded with a shape (see `shape_of`) in a context.

    Attributes
    ----------
    everywhere
        Shape -> users, in any context or none.
    within
        Context -> shape -> users.
    """

    everywhere: Mapping[str, int] = field(default_factory=dict)
    within: Mapping[Context, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[Context | None, str, int]]) -> Contexts:
        """From (context or None for everywhere, shape, users)."""
        everywhere: dict[str, int] = {}
        within: dict[Context, dict[str, int]] = {}
        for context, shape, n_users in rows:
            (everywhere if context is None else within.setdefault(context, {}))[shape] = n_users
        return cls(everywhere, within)

    @cached_property
    def _totals(self) -> dict[Context, int]:
        return {context: sum(counts.values()) for context, counts in self.within.items()}

    @cached_property
    def _everybody(self) -> int:
        return sum(self.everywhere.values())

    def fit(self, contexts: Sequence[Context], shape: str | None) -> float | None:
        """Log of how many users asked for the shape in the contexts to how many would if these did not matter.

        The mean over the contexts that are known; None if none is, or the shape is not.

        >>> seen = Contexts({"play": 50, "stop": 50}, {("screen", "player"): {"play": 9, "stop": 29}})
        >>> round(seen.fit([("screen", "player"), ("zone", "Rome")], "play"), 3)  # log((9 + 1) / (38 / 2 + 1))
        -0.693
        """
        known = [context for context in contexts if context in self.within]
        if shape is None or shape not in self.everywhere or not known:
            return None
        share = self.everywhere[shape] / self._everybody
        ratios = [(self.within[c].get(shape, 0) + _PRIOR) / (share * self._totals[c] + _PRIOR) for c in known]
        return sum(map(math.log, ratios)) / len(ratios)

    def save(self, folder: Path) -> None:
        """Write ``contexts.json``."""
        within = [[name, value, counts] for (name, value), counts in sorted(self.within.items())]
        body = json.dumps({"everywhere": self.everywhere, "within": within}, sort_keys=True)
        (folder / FILE).write_text(body + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Contexts:
        """What `save` wrote.

        Raises
        ------
        RewriterError
            Naming the file that is missing or broken.
        """
        path = folder / FILE
        try:
            data = json.loads(path.read_text("utf-8"))
            return cls(dict(data["everywhere"]), {(name, value): dict(counts) for name, value, counts in data["within"]})
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise RewriterError(f"{path}: cannot be read ({error})") from error
