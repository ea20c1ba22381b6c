"""Fewer users than a pair needs publish and redirect nothing, however often they say it; one user counts as the cap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import mine_rewrites
from jobs.storage import read_arrow
from rewriter.settings import Mine
from schemas.tables import REWRITE_PAIRS, TURNS

START = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
MIN_USERS, CAP = Mine().min_users, Mine().user_cap
VISITS = 40  # of each colluder to each source
# Songs 2 to 4 and 5 to 7 are equally long in letters and sounds: rephrases of all three are equally likely ones.
SONGS = "album jazz snow rain moon marble garden silver kitchen district video norton".split()
WANTED = "turn on the lights"  # what the colluders want everything to become
HONEST = {(f"lay {song}", f"play {song}") for song in SONGS if song != SONGS[1]}
#: A source with honest support far above the threshold, one below it, one that works, and one that nobody else says.
ATTACKED = (f"lay {SONGS[0]}", f"lay {SONGS[1]}", "stop the music", "what a fine day")


@dataclass
class Log:
    """Turns, session by session; no two sessions are near each other."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    sessions: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def session(self, user: str, *turns: tuple[str, bool, str | None]) -> None:
        """One session: what was said, whether it worked, and the intent that NLU saw."""
        n = next(self.sessions)
        at = START + dt.timedelta(days=n % 7, seconds=90 * n)
        for k, (text, works, intent) in enumerate(turns):
            row = dict.fromkeys(TURNS.schema.names) | {"turn_id": f"{n}-{k}", "user_id": user, "session_id": f"s{n}"}
            row |= {"turn_index": k, "at": at + dt.timedelta(seconds=8 * k), "locale": "en-US", "utterance": text}
            row |= {"asr_confidence": 0.9, "response_status": "ok" if works else "fallback"}
            if intent is not None:
                row |= {"domain": "home" if intent == "lights" else "music", "intent": intent, "nlu_confidence": 0.9}
                row |= {"slots": [("song", text.split()[-1])]}
            self.rows.append(row)


def honest_log() -> Log:
    """Each song is misheard for users who say it again; 30 for the first, 6 for the second, 15 for the others."""
    log = Log()
    for place, song in enumerate(SONGS):
        for user in range({0: 30, 1: 6}.get(place, 15)):
            log.session(f"{song}{user}", (f"lay {song}", False, None), (f"play {song}", True, "play"))
            log.session(f"{song}{user}", (f"play {song}", True, "play"))
    for user in range(25):
        log.session(f"home{user}", (WANTED, True, "lights"))
        log.session(f"home{user}", ("stop the music", True, "stop"))
    # Two honest users happen to want the lights after a failure.
    for user in range(2):
        log.session(f"home{user}", (ATTACKED[0], False, None), (WANTED, True, "lights"))
    return log


def attacked_log(n_colluders: int) -> Log:
    log = honest_log()
    for colluder in range(n_colluders):
        for source in ATTACKED:
            for _ in range(VISITS):
                log.session(f"colluder{colluder}", (source, False, None), (WANTED, True, "lights"))
    return log


def mined(folder: Path, log: Log, states: str = "interpretation") -> list[dict[str, Any]]:
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(log.rows, schema=TURNS.schema), folder / "turns.parquet")
    (folder / "config.toml").write_text(f'[mine]\nstates = "{states}"\n', "utf-8")
    named = {"turns": folder / "turns.parquet", "config": folder / "config.toml", "out": folder / "pairs"}
    mine_rewrites.main([x for name, path in named.items() for x in (f"--{name}", str(path))])
    return read_arrow(folder / "pairs", REWRITE_PAIRS).to_pylist()


def active(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["source"], row["rewrite"]) for row in rows if row["status"] == "active"}


@pytest.mark.parametrize(
    ("n_colluders", "states"), [(0, "interpretation"), (MIN_USERS - 1, "interpretation"), (MIN_USERS - 1, "wording")]
)
def test_one_user_fewer_than_a_pair_needs_publishes_and_redirects_nothing(
    spark, tmp_path: Path, n_colluders: int, states: str
):
    pairs = mined(tmp_path / "log", attacked_log(n_colluders), states)
    assert active(pairs) == HONEST
    tried = {row["source"]: row["support_users"] for row in pairs if row["rewrite"] == WANTED}
    bystanders = {ATTACKED[0]: 2}
    assert tried == ({source: n_colluders + bystanders.get(source, 0) for source in ATTACKED} if n_colluders else bystanders)


@pytest.fixture(scope="module")
def crowded(spark, tmp_path_factory) -> list[dict[str, Any]]:
    """The pairs of a log with as many colluders as a pair needs, and one user who says a few things very often."""
    log = attacked_log(MIN_USERS)
    for place, n in ((3, int(CAP)), (4, 1000)):
        for _ in range(n):
            log.session("loud", (f"play {SONGS[place]}", False, "play"))
            log.session("loud", (f"lay {SONGS[place + 3]}", True, "play"))
    return mined(tmp_path_factory.mktemp("crowded") / "log", log)


def test_as_many_users_as_a_pair_needs_are_believed_where_nobody_says_otherwise(crowded):
    pairs = active(crowded)
    assert (ATTACKED[3], WANTED) in pairs
    assert (ATTACKED[0], f"play {SONGS[0]}") in pairs
    assert "stop the music" not in {source for source, _ in pairs}


@pytest.mark.parametrize(("first", "estimate"), [(2, "p_success_rewrite"), (5, "p_success_source")])
def test_a_thousand_visits_of_one_user_count_as_the_cap(crowded, first: int, estimate: str):
    of_source = {row["source"]: row[estimate] for row in crowded if row["rewrite"].startswith("play")}
    none, as_the_cap, thousand = (of_source[f"lay {song}"] for song in SONGS[first : first + 3])
    assert abs(none - as_the_cap) > 0.01
    assert thousand == pytest.approx(as_the_cap, abs=0.005)
