"""The personal store: every user finds their own, exactly, and nobody else's."""

from pathlib import Path

import numpy as np
import pytest

from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry
from rewriter.retrieval.page import CorruptPageError, PersonalEntries
from rewriter.retrieval.personal_index import LmdbStore, nearest, write_store

DIM = 24
USERS = {"anna": 3, "ben": 40, "carl": 1, "döra": 7, "z" * 600: 2}


def users(unit) -> list[tuple[str, PersonalEntries]]:
    return [
        (
            user,
            PersonalEntries.of(
                [
                    Entry(f"{user[:5]} {i}", "en-US" if i % 3 else "de-DE", "lists", "add", {"item": str(i)})
                    for i in range(n)
                ],
                unit(n, DIM, n),
            ),
        )
        for user, n in USERS.items()
    ]


def vectors_of(own: PersonalEntries) -> np.ndarray:
    return own.codes * own.scales[:, None]


@pytest.fixture
def store(unit, tmp_path: Path) -> LmdbStore:
    write_store(tmp_path, users(unit), DIM, "v1")
    return LmdbStore(tmp_path)


def test_every_user_finds_exactly_their_own_entries(store: LmdbStore, unit):
    assert (len(store), store.dim, store.encoder_version) == (len(USERS), DIM, "v1")
    for user, own in users(unit):
        read = store.entries(user)
        assert list(read) == list(own)
        np.testing.assert_array_equal(vectors_of(read), vectors_of(own))
        np.testing.assert_allclose(vectors_of(read), unit(len(own), DIM, len(own)), atol=3e-3)


@pytest.mark.parametrize("user", ["", "nobody", "ann", "y" * 600])
def test_a_user_it_does_not_know_has_no_entries(store: LmdbStore, user: str):
    assert list(store.entries(user)) == []
    assert store.entries(user).codes.shape == (0, DIM)
    assert store.search(user, np.ones(DIM, np.float32), 5) == []


def test_search_equals_a_sort_of_all_scores(store: LmdbStore, unit):
    query = unit(1, DIM, 99)[0]
    own = store.entries("ben")
    expected = sorted(((float(v @ query), e) for e, v in zip(own, vectors_of(own), strict=True)), key=lambda x: -x[0])
    got = store.search("ben", query, 7)
    assert [hit.entry for hit in got] == [entry for _, entry in expected[:7]]
    np.testing.assert_allclose([hit.score for hit in got], [score for score, _ in expected[:7]], atol=1e-6)
    assert len(store.search("ben", query, 100)) == 40


def test_a_locale_keeps_the_others_out(store: LmdbStore, unit):
    hits = store.search("ben", unit(1, DIM, 99)[0], 100, locale="de-DE")
    assert len(hits) == 14
    assert {hit.entry.locale for hit in hits} == {"de-DE"}


def test_equal_scores_keep_the_stored_order():
    own = PersonalEntries.of([Entry("first", "en-US"), Entry("second", "en-US")], np.ones((2, 3), np.float32))
    assert [hit.entry.utterance for hit in nearest(own, np.ones(3, np.float32), 2)] == ["first", "second"]


def test_the_same_users_give_the_same_bytes(unit, tmp_path: Path):
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_store(tmp_path / name, iter(users(unit)), DIM)
        assert sorted(p.name for p in (tmp_path / name).iterdir()) == ["data.mdb", "personal.json"]
        written.append((tmp_path / name / "data.mdb").read_bytes())
    assert written[0] == written[1]


def test_a_damaged_page_is_named_and_leaves_other_users_unaffected(unit, tmp_path: Path):
    write_store(tmp_path, users(unit), DIM)
    data = (tmp_path / "data.mdb").read_bytes()
    at = data.index(b"ben 31")
    (tmp_path / "data.mdb").write_bytes(data[:at] + b"B" + data[at + 1 :])
    store = LmdbStore(tmp_path)
    with pytest.raises(CorruptPageError, match="user 'ben'"):
        store.entries("ben")
    with pytest.raises(CorruptPageError, match="user 'ben'"):
        store.search("ben", np.ones(DIM, np.float32), 1)
    assert len(store.entries("anna")) == 3
    assert len(store.entries("döra")) == 7


def test_a_user_that_comes_twice_is_refused(unit, tmp_path: Path):
    with pytest.raises(RewriterError, match=r"anna.* twice"):
        write_store(tmp_path, [users(unit)[0], users(unit)[0]], DIM)


def test_entries_outlive_the_store(store: LmdbStore, unit):
    read = store.entries("ben")
    store.close()
    np.testing.assert_allclose(vectors_of(read), unit(40, DIM, 40), atol=3e-3)


def test_a_store_of_nobody_can_be_read(tmp_path: Path):
    assert write_store(tmp_path, [], DIM)["n_users"] == 0
    assert list(LmdbStore(tmp_path).entries("anna")) == []


def test_a_store_larger_than_one_commit_is_whole(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("rewriter.retrieval.personal_index._COMMIT", 100_000)
    many = [
        (f"u{i:04d}", PersonalEntries.of([Entry("x" * 900, "en-US")], np.ones((1, 300), np.float32))) for i in range(200)
    ]
    write_store(tmp_path, many, 300)
    store = LmdbStore(tmp_path)
    assert all(list(store.entries(user)) == list(own) for user, own in many)


@pytest.mark.parametrize("file", ["data.mdb", "personal.json"])
def test_a_missing_or_broken_file_is_one_error_that_names_the_folder(unit, tmp_path: Path, file: str):
    write_store(tmp_path, users(unit), DIM)
    (tmp_path / file).write_bytes(b"broken")
    with pytest.raises(RewriterError, match=str(tmp_path)):
        LmdbStore(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(RewriterError, match=str(tmp_path)):
        LmdbStore(tmp_path)
