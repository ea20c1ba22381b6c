"""Instants in foreign logs: ISO 8601 text, or numbers since 1970 in any unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rewriter.ingest.unfit import UnfitError, shown

#: Units of a number, to a second.
EPOCH = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
#: Instants outside these years are taken for a wrong unit.
_YEARS = range(1990, 2101)


def _instant(value: datetime, zone: ZoneInfo | None) -> datetime:
    aware = value if value.tzinfo else value.replace(tzinfo=zone or UTC)
    instant = aware.astimezone(UTC)
    if instant.year not in _YEARS:
        raise UnfitError(f"is in the year {instant.year}: a wrong unit of time?")
    return instant


def _from_text(text: str, zone: ZoneInfo | None) -> datetime | None:
    """An instant from ISO 8601 text, None if it is not that."""
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return _instant(value, zone)


def _is_count(text: str) -> bool:
    """Whether text is digits alone, more than a date has: ISO 8601 would read 13 of them as a day, a mark and a time."""
    return len(text) > len("YYYYMMDD") and text.isdecimal()


def _from_number(value: Any, kind: str) -> datetime | None:
    """An instant from a number since 1970, None if it is none; without a named unit its size tells."""
    try:
        number = float(value)
        unit = EPOCH.get(kind) or (1 if abs(number) < 1e11 else 1_000 if abs(number) < 1e14 else 1_000_000)
        return _instant(datetime.fromtimestamp(number / unit, UTC), None)
    except UnfitError:
        raise
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def time_of(value: Any, kind: str = "time", zone: ZoneInfo | None = None) -> datetime:
    """An instant from ISO 8601 text, a datetime, or a number since 1970.

    ``kind`` is "time" (the unit of a number is told from its size), "iso", "epoch_s", "epoch_ms" or "epoch_us". A time
    without an offset is read in ``zone``, by default UTC.
    """
    if isinstance(value, datetime):
        return _instant(value, zone)
    instant = None
    if isinstance(value, str) and (kind == "iso" or (kind == "time" and not _is_count(value.strip()))):
        instant = _from_text(value, zone)
    if instant is None and kind != "iso" and not isinstance(value, bool):
        instant = _from_number(value, kind)
    if instant is None:
        raise UnfitError(f"is not a time: {shown(value)}")
    return instant
