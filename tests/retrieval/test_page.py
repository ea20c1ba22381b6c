"""A user's page: whole or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.retrieval.entries import Entry
from rewriter.retrieval.page import CorruptPageError, pack, unpack

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
    read = unpack(pack(own, vectors), "here")
    assert list(read.entries) == own
    np.testing.assert_allclose(read.vectors, vectors, rtol=1e-3, atol=1e-4)


def test_any_flipped_byte_and_any_cut_is_refused_with_the_place():
    page = pack([Entry("call mum", "en-US"), Entry("play jazz", "en-US")], np.ones((2, 3), np.float32))
    for i in range(len(page)):
        damaged = bytearray(page)
        damaged[i] ^= 0x10
        with pytest.raises(CorruptPageError, match="user 'u1'"):
            unpack(bytes(damaged), "user 'u1'")
        with pytest.raises(CorruptPageError, match="user 'u1'"):
            unpack(page[:i], "user 'u1'")
