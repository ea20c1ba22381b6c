"""A user's page of the personal index: entries and vectors as one checked string of bytes, decoded where it is looked at.

Layout, little-endian: ``QRP2`` · number of entries, dimensions, bytes of JSON (uint32 each) · the entries' columns as
JSON · a scale an entry, float32 · vectors, int8, row by row · CRC-32 of all that precedes. A page read whole needs nothing
else to be understood.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry

MAGIC = b"QRP2"
_HEAD = struct.Struct("<4sIII")
_TAIL = struct.Struct("<I")
_FIELDS = ("utterance", "locale", "domain", "intent", "slots", "n_success", "n_defect", "n_users", "last_seen")
_GREATEST = 127.0  # of a code


class CorruptPageError(RewriterError):
    """A user's page that is not what was written. Other users' pages are unaffected."""


@dataclass(frozen=True)
class PersonalEntries:
    """A user's entries, kept as columns: of 200, a request looks at a few.

    Attributes
    ----------
    columns
        Values of each field of `Entry`, a list a field.
    codes, scales
        Vectors of 8 bits a dimension, int8 (m, dim), and what a unit of each row is worth, (m,).
    """

    columns: Mapping[str, Sequence[Any]]
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]

    @classmethod
    def of(cls, entries: Sequence[Entry], vectors: NDArray[np.floating]) -> Self:
        """The entries with their normalised vectors (m, dim), which lose what 8 bits do not hold."""
        columns = {
            name: [dict(sorted(e.slots.items())) if name == "slots" else getattr(e, name) for e in entries]
            for name in _FIELDS
        }
        scales = np.maximum(np.abs(vectors).max(axis=1, initial=0.0), 1e-9).astype("<f4") / np.float32(_GREATEST)
        return cls(columns, np.rint(vectors / scales[:, None]).astype(np.int8), scales)

    def __len__(self) -> int:
        return len(self.scales)

    def __getitem__(self, row: int) -> Entry:
        return Entry(*(self.columns[name][row] for name in _FIELDS))

    def __iter__(self) -> Iterator[Entry]:
        return (self[row] for row in range(len(self)))

    def find(self, locale: str, utterance: str) -> Entry | None:
        """The entry of a normalised wording; None if the user has none."""
        row = self._rows.get((locale, utterance))
        return None if row is None else self[row]

    @cached_property
    def _rows(self) -> dict[tuple[str, str], int]:
        """The first row of each wording; a request looks for every candidate."""
        wordings = list(zip(self.columns["locale"], self.columns["utterance"], strict=True))
        return dict(zip(reversed(wordings), range(len(wordings) - 1, -1, -1), strict=True))

    @cached_property
    def n_success(self) -> int:
        """Successes of all entries together."""
        return sum(self.columns["n_success"])

    def scores(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inner products (m,) of the vectors with a query (dim,)."""
        scores: NDArray[np.float32] = (self.codes.astype(np.float32) @ query) * self.scales
        return scores


def pack(own: PersonalEntries) -> bytes:
    """The page of the entries and their vectors."""
    text = orjson.dumps(own.columns)
    body = _HEAD.pack(MAGIC, *own.codes.shape, len(text)) + text + own.scales.tobytes() + own.codes.tobytes()
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
    if mark != MAGIC or len(page) != start + n * (dim + 4) + _TAIL.size:
        raise CorruptPageError(f"{where}: not a page of this version")
    scales = np.frombuffer(page, "<f4", n, start).copy()
    codes = np.frombuffer(page, np.int8, n * dim, start + 4 * n).reshape(n, dim).copy()
    return PersonalEntries(orjson.loads(memoryview(page)[_HEAD.size : start]), codes, scales)
