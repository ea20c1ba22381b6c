"""Order of turns and the window that follows each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewriter.rephrase.evidence import evidence
from rewriter.rephrase.log import Records, followers, read_log, records_of, rule_defect


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 1), st.integers(0, 200)), max_size=30),
    st.integers(1, 4),
)
def test_followers_equal_the_slow_count(rows: list[tuple[int, int, int]], window: int) -> None:
    rows = sorted(rows, key=lambda r: (r[0], r[2]))
    user, session, at = (np.array([r[k] for r in rows], np.int64) for k in range(3))
    slow = []
    for i in range(len(rows)):
        n = 0
        while n < window and i + n + 1 < len(rows):
            a, b = rows[i + n], rows[i + n + 1]
            if a[0] != b[0] or a[1] != b[1] or b[2] - a[2] > 45:
                break
            n += 1
        slow.append(n)
    assert followers(user, session, at.astype(float), window, 45.0).tolist() == slow


def test_turns_are_ordered_by_user_and_time_whatever_their_order_in_the_file(log_of) -> None:
    log = log_of(
        [
            {"turn_id": "b2", "user_id": "b", "at_s": 9},
            {"turn_id": "a2", "user_id": "a", "at_s": 7},
            {"turn_id": "b1", "user_id": "b", "at_s": 1},
            {"turn_id": "a1", "user_id": "a", "at_s": 5},
        ]
    )
    assert log.turn_id == ["a1", "a2", "b1", "b2"]
    assert log.following.tolist() == [1, 0, 1, 0]


def test_a_given_defect_replaces_the_rule_and_a_missing_one_does_not(log_of) -> None:
    log = log_of([{"defect": 0.77}, {"defect": None, "response_status": "error"}, {"defect": None}])
    assert abs(log.defect[0] - 0.77) < 1e-6
    assert log.defect[1] > 0.6 > 0.2 > log.defect[2]


def test_the_rule_needs_no_intent_column_to_call_an_answer_fine(turns_of) -> None:
    without = turns_of([{"intent": None, "nlu_confidence": None}] * 2)
    assert (rule_defect(without, records_of(without)) < 0.2).all()
    mixed = turns_of([{"intent": None}, {}])
    assert rule_defect(mixed, records_of(mixed))[0] > 0.5


def test_a_turn_is_judged_alike_whatever_of_the_log_is_read_with_it(turns_of) -> None:
    bare = {"intent": None, "response": None}
    mine = [{"user_id": "a", "turn_id": f"a{i}", **bare} for i in range(3)]
    whole = turns_of([*mine, {"user_id": "b", "turn_id": "b0"}])
    records = records_of(whole)
    assert records == Records(True, True)
    together = read_log(whole, 3, 45.0)[0]
    alone = read_log(whole.slice(0, 3), 3, 45.0, records)[0]
    assert alone.lost.tolist() == together.lost[:3].tolist() == [True] * 3
    assert alone.defect.tolist() == together.defect[:3].tolist()
    views = (evidence(log, 3, 0.6)[:3] for log in (together, alone))
    assert np.array_equal(*views)
    assert not read_log(whole.slice(0, 3), 3, 45.0)[0].lost.any()


def test_alternatives_leave_out_the_utterance_and_repeats(log_of) -> None:
    alternatives = [{"text": t, "score": 0.1} for t in ("Play jazz", "play chess", "play  CHESS", "plate jazz")]
    log = log_of([{"asr_nbest": alternatives}])
    assert log.alternatives == [("play chess", "plate jazz")]
