"""A rewrite that did harm once does not come back through any layer."""

import pyarrow as pa
import pytest

from rewriter.bundle.controls import Controls, PairSet
from rewriter.bundle.layout import REGRESSION
from rewriter.bundle.regression import Case, add_case, cases_of, read_cases, regression_faults
from rewriter.errors import RewriterError
from schemas.tables import REWRITE_PAIRS

CASE = Case("*", "play beet it", "play beat it", "wrong song")


def faults(pairs, rewrite_of=None, controls=Controls(), case=CASE):  # noqa: B008
    table = pa.Table.from_pylist(pairs, schema=REWRITE_PAIRS.schema)
    return regression_faults([case], table, ["en-US", "de-DE"], rewrite_of, controls)


def test_an_active_pair_of_the_regression_set_is_named(pair):
    assert faults([pair()]) == ["'play beet it' -> 'play beat it': wrong song"]


def test_pairs_that_are_not_served_or_differ_are_no_fault(pair):
    assert faults([pair(status="pending"), pair(rewrite="play beets"), pair(source="other")]) == []


def test_a_case_of_one_locale_says_nothing_about_another(pair):
    case = Case("de-DE", CASE.source, CASE.rewrite)
    assert faults([pair()], case=case) == []
    assert len(faults([pair(locale="de-DE")], case=case)) == 1


def test_an_online_layer_that_answers_a_case_is_found_in_whichever_locale_it_does():
    def rewrite_of(locale, source):
        return "Play beat it" if (locale, source) == ("de-DE", "play beet it") else None

    assert len(faults([], rewrite_of)) == 1
    assert faults([], lambda locale, source: "play something else") == []


def test_a_blocked_case_is_no_fault_because_the_service_refuses_it(pair):
    assert faults([pair()], controls=Controls(blocked=PairSet([CASE.key]))) == []
    elsewhere = Controls(blocked=PairSet([("de-DE", CASE.source, CASE.rewrite)]))
    assert len(faults([pair()], controls=elsewhere)) == 1


def test_a_case_is_kept_once_and_read_back_sorted(tmp_path):
    add_case(tmp_path, CASE)
    add_case(tmp_path, Case("*", "a", "b"))
    add_case(tmp_path, CASE)
    assert cases_of(tmp_path, [Case("en-US", "z", "y")]) == [Case("*", "a", "b"), CASE, Case("en-US", "z", "y")]


def test_a_last_line_added_by_hand_without_its_end_stays_when_a_case_is_added(tmp_path):
    (tmp_path / REGRESSION).write_text('{"source": "a", "rewrite": "b"}\n{"source": "c", "rewrite": "d"}')
    add_case(tmp_path, CASE)
    assert [case.source for case in read_cases(tmp_path / REGRESSION)] == ["a", "c", "play beet it"]


def test_every_broken_line_is_named_at_once(tmp_path):
    (tmp_path / REGRESSION).write_text(
        '{"source": "a", "rewrite": "b"}\nnonsense\n{"source": "a"}\n{"source": 1, "rewrite": "b"}\n'
    )
    with pytest.raises(RewriterError, match=r"line 2: .* line 3: .*rewrite.* line 4: "):
        read_cases(tmp_path / REGRESSION)
