"""What people ask in which context: how much likelier a meaning is after what the assistant just said or showed."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from rewriter.errors import RewriterError
from rewriter.intents import understood
from rewriter.text import normalise

#: A name and its value: an item of the request's ``context``, or `RESPONSE` and the assistant's last response.
Context = tuple[str, str]
#: No caller's item has an empty name.
RESPONSE = ""
#: Of a longer response only the first characters count, and of a longer context the first items.
MAX_RESPONSE, MAX_ITEMS = 500, 64
FILE = "contexts.json"

#: In place of a shape: the votes of all shapes together.
_ALL = ""
#: Votes imagined to have fallen as expected, so that few votes say little.
_PRIOR = 1.0


def shape_of(domain: str | None, intent: str | None, slots: Iterable[str]) -> str | None:
    """What is asked, whatever it is asked of: domain, intent and the names of the slots; None where nothing is understood.

    >>> shape_of("music", "play", {"song": "Halo", "artist": "X"})
    'music|play|artist|song'
    """
    return None if understood(intent) is None else "|".join([domain or "", intent or "", *sorted(slots)])


def contexts_of(context: Mapping[str, str], response: str | None) -> tuple[Context, ...]:
    """The contexts of a request; responses are normalised."""
    items = ((name, value) for name, value in islice(context.items(), MAX_ITEMS) if name and value)
    said = normalise((response or "")[:MAX_RESPONSE])
    return (*items, *([(RESPONSE, said)] if said else []))


@dataclass(frozen=True)
class Contexts:
    """Votes of users for the shapes (see `shape_of`) that they ask with success.

    Attributes
    ----------
    votes
        (locale, context, or None for everywhere) -> shape -> votes, and `_ALL` -> all of them. A user has one vote in each
        context, split over what this user asks there.
    hidden
        Most users that may have asked for a shape that is not listed in a context: fewer are kept private.
    """

    votes: Mapping[tuple[str, Context | None], Mapping[str, float]] = field(default_factory=dict)
    hidden: float = 0.0

    @classmethod
    def of(cls, rows: Iterable[tuple[str, Context | None, str | None, float]], hidden: float = 0.0) -> Contexts:
        """From (locale, context or None for everywhere, shape or None for all, votes)."""
        votes: dict[tuple[str, Context | None], dict[str, float]] = defaultdict(dict)
        for locale, context, shape, n in rows:
            votes[locale, context][_ALL if shape is None else shape] = n
        return cls({key: shapes for key, shapes in votes.items() if _ALL in shapes}, hidden)

    def fit(self, locale: str, contexts: Sequence[Context], shape: str | None) -> float | None:
        """Log of the votes for a shape in the contexts to those it would have there if these did not matter.

        The mean over the contexts that are known; None if none is, or the shape is not.

        >>> rows = [("en", None, None, 100), ("en", None, "play", 50), ("en", ("screen", "player"), None, 38)]
        >>> seen = Contexts.of([*rows, ("en", ("screen", "player"), "play", 9)])
        >>> round(seen.fit("en", [("screen", "player"), ("zone", "Rome")], "play"), 3)  # log((9 + 1) / (38 / 2 + 1))
        -0.693
        """
        everywhere = self.votes.get((locale, None), {})
        known = [seen for context in contexts if (seen := self.votes.get((locale, context))) is not None]
        if shape is None or shape not in everywhere or not known:
            return None
        share = everywhere[shape] / everywhere[_ALL]
        return sum(self._ratio(seen, shape, share) for seen in known) / len(known)

    def _ratio(self, seen: Mapping[str, float], shape: str, share: float) -> float:
        expected = share * seen[_ALL]
        return math.log((seen.get(shape, min(expected, self.hidden)) + _PRIOR) / (expected + _PRIOR))

    def save(self, folder: Path) -> None:
        """Write ``contexts.json``."""
        order = sorted(self.votes.items(), key=lambda item: (item[0][0], item[0][1] or ()))
        rows = [[locale, context, shapes] for (locale, context), shapes in order]
        body = json.dumps({"hidden": self.hidden, "votes": rows}, sort_keys=True)
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
            votes = {(loc, None if c is None else (c[0], c[1])): dict(shapes) for loc, c, shapes in data["votes"]}
            if not all(shapes[_ALL] > 0 for shapes in votes.values()) or data["hidden"] < 0:
                raise ValueError("votes that are none")
            return cls(votes, float(data["hidden"]))
        except (OSError, IndexError, KeyError, TypeError, ValueError) as error:
            raise RewriterError(f"{path}: cannot be read ({error})") from error
