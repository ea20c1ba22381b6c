"""The personal index: each user's own successful requests, searched exactly, kept in LMDB."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
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
_COMMIT = 32 << 20  # bytes of pages a transaction


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
    scores, locales = own.scores(np.asarray(vector, dtype=np.float32).reshape(-1)), own.columns["locale"]
    best = (int(i) for i in np.argsort(-scores, kind="stable") if locale is None or locales[i] == locale)
    return [Hit(own[i], float(scores[i])) for i in islice(best, max(k, 0))]


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
        where = f"personal index {self._folder}, user '{user_id}'"
        try:
            # The page is read in place: it must not be used after the transaction.
            with self._environment.begin(buffers=True) as transaction:
                page = transaction.get(key_of(user_id)) if user_id else None
                if page is not None:
                    return unpack(page, where)
        except lmdb.Error as error:
            raise RewriterError(f"{where}: {error}") from error
        return PersonalEntries.of((), np.zeros((0, self.dim), np.float32))

    def search(self, user_id: str, vector: NDArray[np.float32], k: int, locale: str | None = None) -> list[Hit]:
        """The user's best ``k`` entries for a query (dim,), best first. Exact."""
        return nearest(self.entries(user_id), vector, k, locale)

    def close(self) -> None:
        """Unmap the file; the store cannot be read afterwards."""
        self._environment.close()


def _page_bytes(key: bytes, page: bytes) -> int:
    """An upper bound of what one user takes in the file: whole pages of its own, and a share of the tree."""
    return len(page) + 4 * len(key) + 2 * 4096


def _commits(users: Iterable[tuple[str, PersonalEntries]]) -> Iterator[list[tuple[bytes, bytes]]]:
    """Keys and pages in groups of about `_COMMIT` bytes."""
    group: list[tuple[bytes, bytes]] = []
    size = 0
    for user_id, own in users:
        group.append((key_of(user_id), pack(own)))
        size += _page_bytes(*group[-1])
        if size >= _COMMIT:
            yield group
            group, size = [], 0
    yield group


def _put_all(environment: Any, groups: Iterable[list[tuple[bytes, bytes]]]) -> int:
    """Put the groups, growing the map before each; returns how many users there are."""
    n_users, map_size, last = 0, environment.info()["map_size"], b""
    for group in groups:
        map_size += sum(_page_bytes(key, page) for key, page in group)
        environment.set_mapsize(map_size)
        with environment.begin(write=True) as transaction:
            for key, page in group:
                # Appending fills pages wholly; only a digest of a very long id is out of order.
                if not transaction.put(key, page, append=key > last, overwrite=False):
                    raise RewriterError(f"personal index: user {key!r} comes twice")
                last = max(last, key)
        n_users += len(group)
    return n_users


def write_store(
    folder: Path, users: Iterable[tuple[str, PersonalEntries]], dim: int, encoder_version: str = ""
) -> dict[str, Any]:
    """Write ``data.mdb`` and ``personal.json`` into the folder; the same users give the same bytes. Returns the card.

    ``users`` are read one by one; the file is smallest when they are sorted.

    Raises
    ------
    RewriterError
        Naming a user that comes twice.
    """
    n_entries = 0

    def counted() -> Iterator[tuple[str, PersonalEntries]]:
        nonlocal n_entries
        for user_id, own in users:
            n_entries += len(own)
            yield user_id, own

    with TemporaryDirectory(dir=folder) as scratch:
        with lmdb.open(scratch, map_size=_COMMIT, sync=False, lock=False) as environment:
            n_users = _put_all(environment, _commits(counted()))
            # A compact copy holds no freed page: nothing of an earlier state, and the same bytes for the same users.
            compact = Path(scratch) / "compact"
            compact.mkdir()
            environment.copy(str(compact), compact=True)
        (compact / DATA).replace(folder / DATA)
    card = {"dim": dim, "encoder": encoder_version, "n_entries": n_entries, "n_users": n_users}
    (folder / CARD).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", "utf-8")
    return card
