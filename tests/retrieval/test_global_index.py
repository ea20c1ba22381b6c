"""One contract for every kind of global index."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry, entries_of, table_of
from rewriter.retrieval.global_index import GlobalIndex

DIM = 24
LOCALES = {"de-DE": 40, "en-GB": 300, "en-US": 600, "fr-FR": 3}


def some_entries() -> list[Entry]:
    return [
        Entry(f"request {i}", locale, "music", "play", {"song": str(i), "artist": "abba"}, i + 1, i % 3, i + 2, 1.5e9 + i)
        for locale, n in LOCALES.items()
        for i in range(n)
    ]


@pytest.fixture(scope="module", params=["flat", "lists"])
def index(request, unit) -> GlobalIndex:
    n = sum(LOCALES.values())
    return GlobalIndex.build(table_of(some_entries()), unit(n, DIM, 3), n if request.param == "flat" else 10, "v1")


@pytest.fixture(scope="module")
def vectors(unit):
    return unit(sum(LOCALES.values()), DIM, 3)


def test_each_entry_is_the_best_answer_to_its_own_vector(index: GlobalIndex, vectors):
    entries = some_entries()
    for row in (0, 39, 40, 200, 700, 941):
        best = index.search(vectors[row : row + 1], 3, entries[row].locale)[0][0]
        assert best.entry == entries[row]
        assert best.entry.slots == {"artist": "abba", "song": entries[row].utterance.split()[1]}
        assert best.score == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_entry_of_another_locale_is_ever_returned(index: GlobalIndex, vectors, locale: str):
    for hits in index.search(vectors[::50], 10, locale):
        assert {hit.entry.locale for hit in hits} == {locale}
        assert len(hits) == min(10, LOCALES[locale])
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_the_most_alike_in_letters_come_first_with_the_score_of_their_vectors(index: GlobalIndex, vectors):
    hits = index.alike("request 123", vectors[5], 5, "en-US")
    assert hits[0].entry.utterance == "request 123"
    assert all(hit.entry.locale == "en-US" and set(hit.entry.utterance) & set("123") for hit in hits)
    rows = {e.utterance: i for i, e in enumerate(some_entries()) if e.locale == "en-US"}
    exact = [float(vectors[rows[hit.entry.utterance]] @ vectors[5]) for hit in hits]
    assert [hit.score for hit in hits] == pytest.approx(exact, abs=0.02)


def test_an_unknown_locale_and_no_places_find_nothing(index: GlobalIndex, vectors):
    assert index.alike("request 1", vectors[0], 5, "es-ES") == index.alike("request 1", vectors[0], 0, "en-US") == []
    assert index.search(vectors[:2], 5, "es-ES") == [[], []]
    assert index.search(vectors[:2], 0, "en-US") == [[], []]


def test_a_saved_index_answers_as_before_and_has_the_same_bytes(index: GlobalIndex, vectors, tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        index.save(tmp_path / name)
    again = GlobalIndex.load(tmp_path / "a")
    assert (again.kind, again.dim, len(again), again.encoder_version) == (index.kind, DIM, len(index), "v1")
    assert again.search(vectors[:20], 5, "en-GB") == index.search(vectors[:20], 5, "en-GB")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_an_empty_index_finds_nothing(tmp_path: Path):
    GlobalIndex.build(table_of([]), np.zeros((0, DIM), np.float32), 10).save(tmp_path)
    assert GlobalIndex.load(tmp_path).search(np.ones((1, DIM), np.float32), 5, "en-US") == [[]]


def test_entries_and_vectors_that_do_not_match_are_refused(vectors):
    with pytest.raises(RewriterError, match="943 entries but 5 vectors"):
        GlobalIndex.build(table_of(some_entries()), vectors[:5], 10)


def test_rows_in_any_order_are_found_by_their_words_and_by_their_vectors(vectors):
    scattered = [Entry("zu", "en-US"), Entry("b", "de-DE"), Entry("über", "en-US"), Entry("ab", "en-US")]
    index = GlobalIndex.build(table_of(scattered), vectors[:4], 10)
    for entry, vector in zip(scattered, vectors, strict=False):
        assert index.find(entry.locale, entry.utterance) == entry
        assert index.search(vector[None], 1, entry.locale)[0][0].entry == entry


def test_entries_are_found_in_a_part_of_a_table(vectors):
    part = table_of([Entry(f"request {i}", "en-US", n_success=i + 1) for i in range(9)]).slice(3, 4)
    index = GlobalIndex.build(part, vectors[:4], 10)
    assert [index.find("en-US", f"request {i}") for i in (2, 7)] == [None, None]
    assert [entry.n_success for i in range(3, 7) if (entry := index.find("en-US", f"request {i}"))] == [4, 5, 6, 7]


@pytest.mark.parametrize("words", ["", "request", "request 0 ", "request 9999", "zzz", "über"])
def test_words_that_no_entry_has_are_not_found(index: GlobalIndex, words: str):
    assert index.find("en-GB", words) is None
    assert index.find("es-ES", "request 1") is None


def test_the_entities_are_the_normalised_slot_values(vectors):
    rows = [Entry("a", "en-US", slots={"song": "Beat It!", "day": ""}), Entry("b", "en-US", slots={"song": "beat it"})]
    assert GlobalIndex.build(table_of(rows), vectors[:2], 10).entities == {"song": ["beat it"]}


def test_an_index_without_letters_finds_by_meaning_alone_and_has_no_file_of_them(vectors, tmp_path: Path):
    n = sum(LOCALES.values())
    GlobalIndex.build(table_of(some_entries()), vectors, n, letters=False).save(tmp_path)
    assert not (tmp_path / "letters.faiss").exists()
    index = GlobalIndex.load(tmp_path)
    assert index.alike("request 123", vectors[5], 5, "en-US") == []
    assert len(index.search(vectors[:1], 3, "en-US")[0]) == 3


@pytest.mark.parametrize("file", ["entries.arrow", "entities.json", "index.faiss", "letters.faiss", "global.json"])
def test_a_missing_or_broken_file_is_one_error_that_names_the_folder(index: GlobalIndex, tmp_path: Path, file: str):
    index.save(tmp_path)
    (tmp_path / file).write_bytes(b"broken")
    with pytest.raises(RewriterError, match=str(tmp_path)):
        GlobalIndex.load(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(RewriterError, match=str(tmp_path)):
        GlobalIndex.load(tmp_path)


def test_entries_survive_their_table():
    entries = some_entries()[:50]
    assert list(entries_of(table_of(entries))) == entries


def test_an_index_that_nobody_holds_is_gone_at_once(unit, tmp_path: Path):
    GlobalIndex.build(table_of(some_entries()), unit(sum(LOCALES.values()), DIM, 3), 10).save(tmp_path)
    gc.disable()
    try:
        index = GlobalIndex.load(tmp_path)
        assert index.entries.find("en-US", "request 7") is not None
        table = weakref.ref(index.entries)
        del index
        assert table() is None
    finally:
        gc.enable()
