"""What operators decided: blocked and approved pairs, withdrawn versions. An append-only journal of JSON lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from rewriter.bundle.durable import append_line, is_whole, only_writer
from rewriter.bundle.layout import CONTROLS
from rewriter.errors import RewriterError
from rewriter.locales import canonical_locale
from rewriter.text import normalise

#: A control of every locale.
EVERYWHERE = "*"
ACTIONS = ("block", "unblock", "approve", "activate", "rollback")
PairKey = tuple[str, str, str]  # locale or EVERYWHERE, normalised source, normalised rewrite


class PairSet(frozenset[PairKey]):
    """Pairs by locale in its canonical spelling; a pair of every locale is in it for each.

    >>> ("en-US", "a", "b") in PairSet([("*", "a", "b")]), ("en_us", "a", "b") in PairSet([("en-US", "a", "b")])
    (True, True)
    """

    __slots__ = ()

    def __contains__(self, pair: object) -> bool:
        if super().__contains__(pair):
            return True
        if not (isinstance(pair, tuple) and pair and isinstance(pair[0], str)):
            return False
        return any(
            super(PairSet, self).__contains__((locale, *pair[1:])) for locale in (EVERYWHERE, canonical_locale(pair[0]))
        )


@dataclass(frozen=True)
class Controls:
    """The journal's outcome: the last word on each pair and each version.

    Attributes
    ----------
    blocked, approved
        Pairs as (locale or ``*``, source, rewrite), texts normalised. A pair is in one of them at most.
    taught
        Requests that somebody taught, (locale, source) -> rewrite; empty until teaching exists.
    reasons
        Why a pair was blocked or approved.
    withdrawn
        Versions rolled back, or there when operators chose another one, and not activated since.
    """

    blocked: PairSet = field(default_factory=PairSet)
    approved: PairSet = field(default_factory=PairSet)
    taught: Mapping[tuple[str, str], str] = field(default_factory=dict)
    reasons: Mapping[PairKey, str] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()

    @classmethod
    def read(cls, bundles: Path) -> Self:
        """Controls of a folder of bundles; none are kept there yet: empty.

        Raises
        ------
        RewriterError
            Naming the file and every line that is not a control. A last line that is cut short was never acknowledged
            and is ignored.
        """
        return cls.of_journal(_journal(bundles), str(bundles / CONTROLS))

    @classmethod
    def of_journal(cls, data: bytes, where: str) -> Self:
        """Controls of a journal's whole lines; raises as `read` does."""
        return cls._fold(_lines(data, where))

    @classmethod
    def _fold(cls, entries: list[dict[str, Any]]) -> Self:
        last: dict[PairKey, dict[str, Any]] = {}
        withdrawn: set[str] = set()
        for entry in entries:
            action = entry["action"]
            if action == "rollback":
                withdrawn.add(entry["version"])
            elif action == "activate":
                withdrawn.update(entry.get("over", ()))
                withdrawn.discard(entry["version"])
            else:
                last[pair_key(entry["source"], entry["rewrite"], entry["locale"])] = entry
        return cls(
            blocked=PairSet(k for k, e in last.items() if e["action"] == "block"),
            approved=PairSet(k for k, e in last.items() if e["action"] == "approve"),
            reasons={k: e["reason"] for k, e in last.items()},
            withdrawn=frozenset(withdrawn),
        )

    def is_blocked(self, locale: str, source: str, rewrite: str) -> bool:
        """Whether this rewrite of this normalised request must never be served, here or everywhere."""
        return (locale, source, rewrite) in self.blocked

    def is_approved(self, locale: str, source: str, rewrite: str) -> bool:
        """Whether somebody approved this pair, here or everywhere, and nobody blocked it."""
        key = (locale, source, rewrite)
        return key in self.approved and key not in self.blocked

    def reason(self, locale: str, source: str, rewrite: str) -> str:
        """What was said when the pair was blocked or approved."""
        found = self.reasons.get((canonical_locale(locale), source, rewrite))
        return found if found is not None else self.reasons.get((EVERYWHERE, source, rewrite), "")


def pair_key(source: str, rewrite: str, locale: str | None) -> PairKey:
    """The key of a pair in the journal, as the engine knows it.

    >>> pair_key("Play Beet It!", "play 'Beat It'", None)
    ('*', 'play beet it', 'play beat it')
    >>> pair_key("a", "b", "en_us")
    ('en-US', 'a', 'b')
    """
    return canonical_locale(locale or EVERYWHERE), normalise(source), normalise(rewrite)


@dataclass(frozen=True)
class Seen:
    """How much of a journal was read: it only grows, so a later reading must begin with that."""

    n_bytes: int = 0
    sha256: str = hashlib.sha256().hexdigest()

    @classmethod
    def of(cls, data: bytes) -> Self:
        """All of these bytes."""
        return cls(len(data), hashlib.sha256(data).hexdigest())

    def begins(self, data: bytes) -> bool:
        """Whether these bytes begin with those that were read."""
        return Seen.of(data[: self.n_bytes]) == self


def read_on(bundles: Path, seen: Seen) -> tuple[Controls, Seen]:
    """Controls of a folder of bundles whose journal was read before, and how much of it is read now.

    Raises
    ------
    RewriterError
        As `Controls.read`, and if the journal lost or changed anything that was read: that would lift blocks.
    """
    data, where = _journal(bundles), str(bundles / CONTROLS)
    controls = Controls.of_journal(data, where)
    if not seen.begins(data):
        raise RewriterError(
            f"{where}: no longer begins with the {seen.n_bytes} bytes read before (it has {len(data)}); put them back"
        )
    return controls, Seen.of(data)


def _journal(bundles: Path) -> bytes:
    """The journal's whole lines; nothing where there is no journal yet."""
    try:
        data = (bundles / CONTROLS).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RewriterError(f"{bundles / CONTROLS}: cannot be read ({error.strerror})") from error
    ended = data.rfind(b"\n") + 1
    return data if is_whole(data[ended:]) else data[:ended]


def _entry_faults(entry: Any) -> list[str]:
    if not isinstance(entry, dict) or entry.get("action") not in ACTIONS:
        return [f"no action of {', '.join(ACTIONS)}"]
    pair = ("locale", "source", "rewrite", "reason")
    wanted = ("version",) if entry["action"] in ("activate", "rollback") else pair
    faults = [f"{name} is not text" for name in wanted if not isinstance(entry.get(name), str)]
    over = entry.get("over", [])
    listed = isinstance(over, list) and all(isinstance(version, str) for version in over)
    return faults if listed else [*faults, "over is no list of texts"]


def _lines(data: bytes, where: str) -> list[dict[str, Any]]:
    entries, faults = [], []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            wrong = _entry_faults(entry)
        except (ValueError, RecursionError):
            entry, wrong = None, ["not JSON"]
        faults += [f"line {number}: {fault}" for fault in wrong]
        entries.append(entry)
    if faults:
        raise RewriterError(f"{where}: " + "; ".join(faults))
    return entries


def record(bundles: Path, entry: Mapping[str, str | list[str]], at: datetime | None = None) -> None:
    """Append one decision to the journal; it is on disk when this returns."""
    with only_writer(bundles):
        add_entry(bundles, entry, at)


def add_entry(bundles: Path, entry: Mapping[str, str | list[str]], at: datetime | None = None) -> None:
    """As `record`, for who is the folder's `only_writer` already."""
    line = dict(entry) | {"at": (at or datetime.now(UTC)).isoformat(timespec="seconds")}
    append_line(bundles / CONTROLS, json.dumps(line, sort_keys=True, ensure_ascii=False).encode())
