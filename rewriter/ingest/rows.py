"""One chunk of a foreign log as turns; rows that cannot be used, with every reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from rewriter.errors import RewriterError
from rewriter.ingest.convert import NESTED, converter
from rewriter.ingest.mapping import Source
from rewriter.ingest.readers import MISSING, Chunk
from rewriter.ingest.unfit import UnfitError
from schemas.table import type_text
from schemas.tables import STRINGS, TURNS

#: Derived where the log has none, so a file may lack it.
DERIVED = "turn_id"
_IDS = ("turn_id", "user_id", "session_id")
Faults = dict[int, list[str]]


def _values(chunk: Chunk, source: Source, n: int) -> pa.Array | list[Any]:
    if source.column is None:
        return [source.value] * n
    column = chunk.column(source.column)
    if column is None:
        return [MISSING] * n
    if isinstance(column, pa.Array) and pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False).to_pylist()
    return column


def _convert(name: str, values: list[Any], source: Source, faults: Faults) -> list[Any]:
    convert = converter(name, source.kind, source.zone)
    out: list[Any] = [None] * len(values)
    for i, value in enumerate(values):
        if value is None or value is MISSING:
            continue
        try:
            out[i] = convert(source.values.get(value, value) if source.values and isinstance(value, str) else value)
        except UnfitError as error:
            faults.setdefault(i, []).append(f"'{name}' {error}")
    return out


def _column(field: pa.Field, chunk: Chunk, source: Source, faults: Faults) -> pa.Array | list[Any]:
    values = _values(chunk, source, len(chunk.rows))
    if isinstance(values, pa.Array):
        if values.type == field.type and (field.type in NESTED or field.type == STRINGS):
            return values
        values = values.to_pylist()
    out = _convert(field.name, values, source, faults)
    if not field.nullable and field.name != DERIVED:
        for i, value in enumerate(out):
            if value is None and not any(r.startswith(f"'{field.name}' ") for r in faults.get(i, ())):
                faults.setdefault(i, []).append(f"'{field.name}' is missing")
    return out


def derived_id(*parts: Any) -> str:
    """An id from what a turn says, the same at every import: 96 bits of SHA-256."""
    text = "\x1f".join("" if p is None else p.isoformat() if hasattr(p, "isoformat") else str(p) for p in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _pseudonymise(columns: dict[str, list[Any]], pseudonym: Callable[[str], str]) -> None:
    """Replace users' ids, also where they are part of the id of a turn or session."""
    known: dict[str, str] = {}
    users = columns["user_id"]
    for i, user in enumerate(users):
        if user is None:
            continue
        name = known.get(user)
        if name is None:
            name = known[user] = pseudonym(user)
        for column in ("turn_id", "session_id"):
            text = columns[column][i]
            if text is not None and user in text:
                columns[column][i] = text.replace(user, name)
        users[i] = name


def _renamed(raw: str, user: str, name: str) -> str:
    """A row with another name for its user, where the id stands by itself: a short one is part of many words.

    >>> _renamed('{"user_id": "a", "at": 1, "session": "a-7"}', "a", "u9")
    '{"user_id": "u9", "at": 1, "session": "u9-7"}'
    """
    return re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", lambda _: name, raw)


def read_chunk(
    chunk: Chunk, sources: Mapping[str, Source], pseudonym: Callable[[str], str] | None
) -> tuple[pa.Table, list[int], list[tuple[int, list[str], str]]]:
    """Turns of a chunk, the numbers of their rows, and the rows to quarantine (number, reasons, content).

    Parameters
    ----------
    chunk
        Rows of a log.
    sources
        For each column of `turns` where it comes from.
    pseudonym
        Makes a user's id unreadable; None keeps ids as they are.
    """
    faults: Faults = {}
    columns = {f.name: _column(f, chunk, sources[f.name], faults) for f in TURNS.schema}
    users = list(columns["user_id"])
    if pseudonym is not None:
        _pseudonymise(columns, pseudonym)
    what = [columns[name] for name in ("user_id", "at", "locale", "utterance", "session_id", "turn_index")]
    columns[DERIVED] = [t or derived_id(*(c[i] for c in what)) for i, t in enumerate(columns[DERIVED])]
    good = [i for i in range(len(chunk.rows)) if i not in faults]
    arrays = []
    for field in TURNS.schema:
        column = columns[field.name]
        if isinstance(column, pa.Array):
            arrays.append(column if len(good) == len(column) else column.take(pa.array(good, pa.int64())))
        else:
            arrays.append(pa.array(column if not faults else [column[i] for i in good], field.type))
    broken = [(number, [reason], raw) for number, reason, raw in chunk.broken]
    for i, reasons in sorted(faults.items()):
        raw = chunk.raw(i)
        # What is set aside names no user either, wherever the user could be read.
        broken.append((chunk.rows[i], reasons, _renamed(raw, users[i], columns["user_id"][i]) if users[i] else raw))
    return pa.table(arrays, schema=TURNS.schema), [chunk.rows[i] for i in good], sorted(broken, key=lambda b: b[0])


def _takes(field: pa.Field, source: Source, kind: pa.DataType) -> bool:
    """Whether a Parquet column of a type can fill a column of `turns`."""
    t = pa.types
    if t.is_null(kind) or field.type in (*NESTED, STRINGS):
        return bool(t.is_null(kind) or t.is_nested(kind) or t.is_string(kind) or t.is_large_string(kind))
    is_text = t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind) or t.is_dictionary(kind)
    if t.is_timestamp(field.type):
        numeric = bool(t.is_integer(kind) or t.is_floating(kind))
        explicit = source.kind is not None or source.zone is not None
        return bool(t.is_timestamp(kind) or (explicit and (is_text or numeric)))
    if t.is_string(field.type):
        return bool(is_text or (field.name in _IDS and t.is_integer(kind)) or source.values)
    if t.is_boolean(field.type):
        return bool(t.is_boolean(kind) or source.values)
    return bool(t.is_integer(kind) or (t.is_floating(kind) and t.is_floating(field.type)))


def column_faults(names: list[str] | pa.Schema, sources: Mapping[str, Source]) -> list[str]:
    """What a CSV header or a Parquet schema lacks or has in a type that cannot be used; all at once."""
    present = names.names if isinstance(names, pa.Schema) else names
    faults = [f"column '{n}' appears {present.count(n)} times" for n in dict.fromkeys(present) if present.count(n) > 1]
    for field in TURNS.schema:
        source = sources[field.name]
        if source.column is None:
            continue
        head = source.column if source.column in present else source.column.split(".")[0]
        if head not in present:
            if not field.nullable and field.name != DERIVED:
                where = "" if source.column == field.name else f", looked for in column '{source.column}'"
                faults.append(f"missing '{field.name}' ({type_text(field.type)}{where})")
        elif isinstance(names, pa.Schema) and head == source.column and present.count(head) == 1:
            kind = names.field(head).type
            if not _takes(field, source, kind):
                faults.append(f"{head} is {type_text(kind)}, expected {type_text(field.type)}")
    return faults


def require_columns(where: str, names: list[str] | pa.Schema, sources: Mapping[str, Source]) -> None:
    """Return if a file can be imported at all.

    Raises
    ------
    RewriterError
        With every fault of the file in one line.
    """
    if faults := column_faults(names, sources):
        raise RewriterError(f"{where}: " + "; ".join(faults))
