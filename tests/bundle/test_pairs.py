"""What a bundle serves of the mined pairs."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewriter.bundle.controls import Controls, PairSet
from rewriter.bundle.pairs import bundle_pairs, read_pairs
from rewriter.bundle.summary import top_rewrites
from rewriter.errors import RewriterError
from schemas.table import ContractError
from schemas.tables import REWRITE_PAIRS

KEY = ("en-US", "play beet it", "play beat it")


def table(*rows):
    return pa.Table.from_pylist(list(rows), schema=REWRITE_PAIRS.schema)


def statuses(rows, controls=Controls(), approval=False):  # noqa: B008
    pairs = bundle_pairs(table(*rows), controls, approval=approval)
    return {row["source"]: row["status"] for row in pairs.to_pylist()}


def test_rejected_and_expired_pairs_stay_in_the_warehouse(pair):
    rows = [pair(source=s, status=s) for s in ("active", "pending", "rejected", "expired", "blocked")]
    assert statuses(rows) == {"active": "active", "pending": "pending", "blocked": "blocked"}


def test_a_blocked_pair_is_blocked_with_the_reason_that_was_given(pair):
    controls = Controls(blocked=PairSet([KEY]), reasons={KEY: "wrong song"})
    row = bundle_pairs(table(pair()), controls, approval=False).to_pylist()[0]
    assert (row["status"], row["reason"]) == ("blocked", "blocked: wrong song")


@pytest.mark.parametrize("status", ["rejected", "expired"])
def test_a_pair_that_was_turned_down_enters_no_bundle_by_being_blocked(pair, status):
    assert statuses([pair(status=status)], Controls(blocked=PairSet([KEY]))) == {}


def test_pairs_wait_for_approval_where_the_setting_asks_for_it(pair):
    rows = [pair(), pair(source="other")]
    assert statuses(rows, Controls(approved=PairSet([KEY])), approval=True) == {"play beet it": "active", "other": "pending"}


def test_a_rejected_pair_is_not_brought_back_by_an_approval(pair):
    assert statuses([pair(status="rejected")], Controls(approved=PairSet([KEY]))) == {}


def test_pairs_that_lead_to_a_rewritten_request_are_left_out_chains_and_cycles_alike(pair):
    chain = [pair(source="a", rewrite="b"), pair(source="b", rewrite="c")]
    assert statuses(chain) == {"b": "active"}
    assert statuses([pair(source="a", rewrite="b"), pair(source="b", rewrite="a")]) == {}
    assert statuses([pair(source="a", rewrite="b"), pair(source="b", rewrite="c", locale="de-DE")]) == {
        "a": "active",
        "b": "active",
    }
    blocked = Controls(blocked=PairSet([("*", "b", "c")]))
    assert statuses(chain, blocked) == {"a": "active", "b": "blocked"}


def test_two_active_rewrites_of_one_request_are_refused_by_name(pair):
    with pytest.raises(ContractError, match=r"'play beet it' \(en-US\) has 2 active rewrites"):
        bundle_pairs(table(pair(), pair(rewrite="play beets")), Controls(), approval=False)


def test_an_unknown_status_and_an_unreadable_file_are_refused_by_name(tmp_path, pair):
    pq.write_table(table(pair(status="maybe")), tmp_path / "p.parquet")
    with pytest.raises(ContractError, match="status is \\['maybe'\\]"):
        read_pairs(tmp_path / "p.parquet")
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(RewriterError, match="cannot be read"):
        read_pairs(tmp_path / "p.parquet")


def test_the_page_for_people_shows_the_strongest_pair_first_and_keeps_table_cells_whole(pair):
    rows = [
        pair(source="weak", lift_lower=0.1),
        pair(source="a | b\nc", lift_lower=0.9),
        pair(source="out", status="blocked"),
    ]
    decision = {"layers": {"global": {"enabled": False, "threshold": 0.9, "reason": "wins 3, losses 4"}}}
    page = top_rewrites(("2026-01-01", "2026-01-02"), table(*rows), decision, ())
    lines = page.splitlines()
    assert lines.index(next(x for x in lines if "a \\| b c" in x)) < lines.index(next(x for x in lines if "| weak |" in x))
    assert "## Served rewrites (2)" in page
    assert "## Blocked (1)" in page
    assert "| global | off | 0.900 | wins 3, losses 4 |" in page
