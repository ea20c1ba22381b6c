"""A user's page of the personal index: entries and vectors as one checked string of bytes.

Layout, little-endian: ``QRP1`` · number of entries, dimensions, bytes of JSON (uint32 each) · the entries' columns as
JSON · vectors, float16, row by row · CRC-32 of all that precedes. A page read whole needs nothing else to be understood.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry

MAGIC = b"QRP1"
_HEAD = struct.Struct("<4sIII")
_TAIL = struct.Struct("<I")
_FIELDS = ("utterance", "locale", "domain", "intent", "slots", "n_success", "n_defect", "n_users", "last_seen")


class CorruptPageError(RewriterError):
    """A user's page that is not what was written. Other users' pages are unaffected."""


@dataclass(frozen=True)
class PersonalEntries:
    """A user's entries, and their normalised vectors (m, dim) in the same order."""

    entries: tuple[Entry, ...]
    vectors: NDArray[np.float32]


def pack(entries: Sequence[Entry], vectors: NDArray[np.floating]) -> bytes:
    """The page of the entries and their vectors (m, dim)."""
    columns = {
        name: [dict(sorted(e.slots.items())) if name == "slots" else getattr(e, name) for e in entries] for name in _FIELDS
    }
    text = orjson.dumps(columns)
    body = _HEAD.pack(MAGIC, len(entries), vectors.shape[1], len(text)) + text
    body += np.ascontiguousarray(vectors, dtype="<f2").tobytes()
    return body + _TAIL.pack(zlib.crc32(body))


def unpack(page: bytes | memoryview, where: str) -> PersonalEntries:
    """The entries and vectors of a page, as copies: the bytes may vanish afterwards.

    Raises
    ------
    CorruptPageError
        Naming ``where``, if the checksum, the mark or a length is wrong.
    """
    if len(page) < _HEAD.size + _TAIL.size or zlib.crc32(memoryview(page)[: -_TAIL.size]) != _TAIL.unpack(page[-4:])[0]:
        raise CorruptPageError(f"{where}: damaged page (checksum does not match)")
    mark, n, dim, n_text = _HEAD.unpack_from(page)
    start = _HEAD.size + n_text
    if mark != MAGIC or len(page) != start + 2 * n * dim + _TAIL.size:
        raise CorruptPageError(f"{where}: not a page of this version")
    columns = orjson.loads(memoryview(page)[_HEAD.size : start])
    vectors = np.frombuffer(page, dtype="<f2", count=n * dim, offset=start).reshape(n, dim)
    rows = zip(*(columns[name] for name in _FIELDS), strict=True)
    return PersonalEntries(tuple(Entry(*row) for row in rows), vectors.astype(np.float32))
