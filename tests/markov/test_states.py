"""Numbers of states: the same for the same words of a locale, in every batch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rewriter.markov.states import distinct_states, normal_forms, state_number


def test_wordings_of_one_normal_form_share_a_number_and_locales_do_not():
    codes, texts = normal_forms(pa.array(["Play it!", "play it", None, "stop", "??"]))
    assert [texts[k] for k in codes] == ["play it", "play it", "", "stop", ""]
    states, (place,) = distinct_states(pa.array(["en", "en", "en", "de", "en"]), [(codes, texts)])
    expected = [state_number("en", "play it")] * 2 + [state_number("en", ""), state_number("de", "stop")]
    assert states.number[place].tolist() == [*expected, state_number("en", "")]
    assert [(states.locale[k], states.key[k]) for k in place[:4]] == [("en", "play it")] * 2 + [("en", ""), ("de", "stop")]


def test_two_columns_share_their_states():
    first, second = normal_forms(pa.array(["a", "b"])), normal_forms(pa.array(["b", None]))
    states, (one, two) = distinct_states(pa.array(["en", "en"]), [first, second])
    assert states.number[two].tolist() == [state_number("en", "b"), state_number("en", "")]
    assert one[1] == two[0]


def test_numbers_do_not_change_from_one_version_to_the_next():
    assert state_number("en-US", "play beat it") == -4899535821035901706
    assert np.iinfo(np.int64).min <= state_number("en-US", "stop") <= np.iinfo(np.int64).max
