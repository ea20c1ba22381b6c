"""Which column of a foreign log fills which column of `turns`; read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rewriter.errors import RewriterError
from rewriter.ingest.convert import NAMED
from schemas.tables import TURNS

_KEYS = ("from", "value", "as", "zone", "values")


@dataclass(frozen=True)
class Source:
    """Where one column of `turns` comes from.

    ``column`` may be a path of keys joined by dots; ``value`` is the same for every row; ``values`` translates the log's
    words before conversion.
    """

    column: str | None
    value: Any = None
    kind: str | None = None
    zone: ZoneInfo | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether the column is taken over as it is."""
        return self.column is not None and self.kind is None and self.zone is None and not self.values


def identity(locale: str | None = None) -> dict[str, Source]:
    """Every column of `turns` from the column of the same name; with ``locale``, that one for every row."""
    sources = {name: Source(name) for name in TURNS.schema.names}
    return sources if locale is None else sources | {"locale": Source(None, value=locale)}


def _zone(name: str, target: str, faults: list[str]) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError):
        faults.append(f"{target}: unknown time zone {name!r}")
        return None


def _source(target: str, entry: Any, faults: list[str]) -> Source:
    if isinstance(entry, str):
        return Source(entry)
    if not isinstance(entry, dict):
        faults.append(f"{target}: expected a column name or a table, got {entry!r}")
        return Source(None)
    faults += [f"{target}: unknown key '{key}'" for key in entry if key not in _KEYS]
    if ("from" in entry) == ("value" in entry):
        faults.append(f"{target}: needs either 'from' or 'value'")
    kind = entry.get("as")
    if kind is not None and kind not in NAMED.get(target, ()):
        known = ", ".join(NAMED.get(target, ())) or "nothing: it converts by itself"
        faults.append(f"{target}: 'as' is {kind!r}, known are {known}")
    zone = _zone(entry["zone"], target, faults) if "zone" in entry else None
    values = entry.get("values", {})
    if not isinstance(values, dict):
        faults.append(f"{target}: 'values' is a table of the log's word = ours")
        values = {}
    return Source(entry.get("from"), entry.get("value"), kind, zone, values)


def read_mapping(path: Path, locale: str | None = None) -> dict[str, Source]:
    """The mapping of a file; columns that it leaves out come from the column of the same name.

    Raises
    ------
    RewriterError
        Naming the file and every fault in it at once.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RewriterError(f"mapping {path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RewriterError(f"mapping {path}: not TOML ({error})") from error
    faults = [f"unknown key '{key}'" for key in content if key != "columns"]
    columns = content.get("columns", {})
    if not isinstance(columns, dict) or not columns:
        faults.append("no section [columns]")
        columns = {}
    faults += [f"unknown column '{name}' of turns" for name in columns if name not in TURNS.schema.names]
    known = {name: entry for name, entry in columns.items() if name in TURNS.schema.names}
    sources = identity(locale) | {name: _source(name, entry, faults) for name, entry in known.items()}
    if faults:
        raise RewriterError(f"mapping {path}: " + "; ".join(faults))
    return sources
