"""Columns of an Arrow table read in place, value by value: for a few rows of a million, Arrow's own scalars are dear."""

from __future__ import annotations

import pyarrow as pa


class Texts:
    """A column of texts; of one that is null, None."""

    def __init__(self, column: pa.Array) -> None:
        valid, starts, letters = column.buffers()
        self._first, self._size = column.offset, len(column)
        self._valid = memoryview(valid) if valid is not None and column.null_count else None
        self._starts, self._letters = memoryview(starts or b"").cast("i"), memoryview(letters or b"")

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, row: int) -> str | None:
        at = self._first + row
        if self._valid is not None and not self._valid[at >> 3] >> (at & 7) & 1:
            return None
        return str(self._letters[self._starts[at] : self._starts[at + 1]], "utf-8", "surrogatepass")

    def bytes_of(self, row: int) -> bytes:
        """The text of a row as Arrow holds and sorts it; empty where it is null."""
        at = self._first + row
        return self._letters[self._starts[at] : self._starts[at + 1]].tobytes()


class Maps:
    """A column of maps from texts to texts; a null one is empty."""

    def __init__(self, column: pa.Array) -> None:
        starts = column.buffers()[1]
        self._starts = memoryview(starts or b"").cast("i")[column.offset :]
        self._keys, self._values = Texts(column.keys), Texts(column.items)

    def __getitem__(self, row: int) -> dict[str, str]:
        pairs = range(self._starts[row], self._starts[row + 1])
        return {str(self._keys[i]): self._values[i] or "" for i in pairs}
