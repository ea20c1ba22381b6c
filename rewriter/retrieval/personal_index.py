"""The personal index: each user's own successful requests, searched exactly, kept in LMDB."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import lmdb
import numpy as np
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Hit
from rewriter.retrieval.page import PersonalEntries, pack, unpack

DATA, CARD = "data.mdb", "personal.json"
MAX_KEY = 511  # bytes, LMDB's limit
_ROUND = 1 << 20


class PersonalStore(Protocol):
    """Keeps each user's successful requests."""

    dim: int

    def entries(self, user_id: str) -> PersonalEntries:
        """The user's entries; none for a user it does not know."""
        ...

    def search(self, user_id: str, vector: NDArray[np.float32], k: int, locale: str | None = None) -> list[Hit]:
        """The user's best ``k`` entries for a query (dim,), best first."""
        ...


def nearest(own: PersonalEntries, vector: NDArray[np.float32], k: int, locale: str | None = None) -> list[Hit]:
    """The best ``k`` entries (of the locale, if given) by inner product, best first; ties keep the stored order."""
    scores = own.vectors @ np.asarray(vector, dtype=np.float32).reshape(-1)
    best = np.argsort(-scores, kind="stable")
    hits = (Hit(own.entries[i], float(scores[i])) for i in best if locale is None or own.entries[i].locale == locale)
    return [hit for hit, _ in zip(hits, range(max(k, 0)), strict=False)]


def key_of(user_id: str) -> bytes:
    """The user's key: the id itself, or its digest where it is too long for a key."""
    key = user_id.encode("utf-8", "surrogatepass")
    return key if len(key) <= MAX_KEY else b"sha256:" + hashlib.sha256(key).hexdigest().encode()


class LmdbStore:
    """A read-only personal index in one memory-mapped file; only the pages of the users asked for are read."""

    def __init__(self, folder: Path | str) -> None:
        """Open the store that `write_store` wrote.

        Raises
        ------
        RewriterError
            Naming the folder, if it holds no readable store.
        """
        self._folder = Path(folder)
        try:
            card = json.loads((self._folder / CARD).read_text("utf-8"))
            self.dim, self.n_users = int(card["dim"]), int(card["n_users"])
            self.encoder_version = str(card.get("encoder", ""))
            # No lock file and no read-ahead: the file never changes, and users are asked for in no order.
            self._environment = lmdb.open(
                str(self._folder / DATA), subdir=False, readonly=True, lock=False, readahead=False, max_readers=256
            )
        except (OSError, KeyError, ValueError, lmdb.Error) as error:
            raise RewriterError(f"personal index {self._folder}: cannot be read ({error})") from error

    def __len__(self) -> int:
        return self.n_users

    def entries(self, user_id: str) -> PersonalEntries:
        """The user's entries; none for a user it does not know.

        Raises
        ------
        CorruptPageError
            Naming the user's page if it is damaged; other users' pages can still be read.
        """
        page = self._page(user_id)
        if page is None:
            return PersonalEntries((), np.zeros((0, self.dim), np.float32))
        return unpack(page, f"personal index {self._folder}, user '{user_id}'")

    def _page(self, user_id: str) -> bytes | None:
        if not user_id:
            return None
        try:
            with self._environment.begin() as transaction:
                page: bytes | None = transaction.get(key_of(user_id))
        except lmdb.Error as error:
            raise RewriterError(f"personal index {self._folder}, user '{user_id}': {error}") from error
        return page

    def search(self, user_id: str, vector: NDArray[np.float32], k: int, locale: str | None = None) -> list[Hit]:
        """The user's best ``k`` entries for a query (dim,), best first. Exact."""
        return nearest(self.entries(user_id), vector, k, locale)

    def close(self) -> None:
        """Unmap the file; the store cannot be read afterwards."""
        self._environment.close()


def write_store(
    folder: Path, users: Iterable[tuple[str, PersonalEntries]], dim: int, size_hint: int, encoder_version: str = ""
) -> dict[str, Any]:
    """Write ``data.mdb`` and ``personal.json``; the same users give the same bytes. Returns the card.

    Parameters
    ----------
    users
        Pairs of user and entries, sorted by `key_of`, no user twice.
    size_hint
        An upper estimate of the bytes of all pages; the map gets room for twice as much.

    Raises
    ------
    RewriterError
        If the users are not sorted.
    """
    n_users = n_entries = 0
    map_size = -(-(2 * size_hint + 16 * _ROUND) // _ROUND) * _ROUND
    with TemporaryDirectory(dir=folder) as scratch:
        environment = lmdb.open(scratch, map_size=map_size, subdir=True, sync=False, lock=False)
        with environment.begin(write=True) as transaction:
            for user_id, own in users:
                if not transaction.put(key_of(user_id), pack(own.entries, own.vectors), append=True):
                    raise RewriterError(f"personal index: user '{user_id}' is out of order")
                n_users, n_entries = n_users + 1, n_entries + len(own.entries)
        # A compact copy holds no freed page: nothing of an earlier state, and the same bytes for the same users.
        compact = Path(scratch) / "compact"
        compact.mkdir()
        environment.copy(str(compact), compact=True)
        environment.close()
        (compact / DATA).replace(folder / DATA)
    card = {"dim": dim, "encoder": encoder_version, "n_entries": n_entries, "n_users": n_users}
    (folder / CARD).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", "utf-8")
    return card
