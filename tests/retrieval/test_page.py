"""A user's page: whole or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.retrieval.entries import Entry
from rewriter.retrieval.page import CorruptPageError, PersonalEntries, pack, unpack

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
entries = st.builds(
    Entry,
    utterance=texts,
    locale=st.sampled_from(["en-US", "de-DE"]),
    domain=st.none() | texts,
    intent=st.none() | texts,
    slots=st.dictionaries(texts, texts, max_size=3),
    n_success=st.integers(1, 10**6),
    n_defect=st.integers(0, 10**6),
    last_seen=st.floats(0, 4e9),
)


@given(st.lists(entries, max_size=5), st.integers(1, 16))
def test_a_page_gives_back_what_was_packed(own: list[Entry], dim: int):
    vectors = np.random.default_rng(len(own)).normal(size=(len(own), dim)).astype(np.float32)
    read = unpack(pack(PersonalEntries.of(own, vectors)), "here")
    assert list(read) == own
    assert read.n_success == sum(e.n_success for e in own)
    for row, vector in enumerate(vectors):
        unit = np.abs(vector).max() / 127
        np.testing.assert_allclose(read.codes[row] * read.scales[row], vector, atol=0.51 * unit)


@given(st.lists(entries, max_size=5), st.sampled_from(["en-US", "de-DE"]), texts)
def test_a_wording_is_found_in_its_locale_alone(own: list[Entry], locale: str, text: str):
    page = PersonalEntries.of(own, np.ones((len(own), 2), np.float32))
    for wording in [text, *(e.utterance for e in own)]:
        expected = next((e for e in own if (e.locale, e.utterance) == (locale, wording)), None)
        assert page.find(locale, wording) == expected


def test_any_flipped_byte_and_any_cut_is_refused_with_the_place():
    page = pack(PersonalEntries.of([Entry("call mum", "en-US"), Entry("play jazz", "en-US")], np.ones((2, 3), np.float32)))
    for i in range(len(page)):
        damaged = bytearray(page)
        damaged[i] ^= 0x10
        with pytest.raises(CorruptPageError, match="user 'u1'"):
            unpack(bytes(damaged), "user 'u1'")
        with pytest.raises(CorruptPageError, match="user 'u1'"):
            unpack(page[:i], "user 'u1'")
