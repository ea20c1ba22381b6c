"""The jobs that build both indexes, from files to files."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import build_global, build_personal, train_encoder
from rewriter.errors import RewriterError
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.personal_index import LmdbStore
from schemas.table import Table
from schemas.tables import DEFECTS, REPHRASES, TURNS

DAY = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SONGS = ("jazz", "rock music", "the news", "thai music")
N_DAYS = 8


def write(rows: list[dict[str, Any]], table: Table, out: Path) -> Path:
    for day in sorted({row["day"] for row in rows}):
        folder = out / f"day={day}"
        folder.mkdir(parents=True)
        data = [{name: row.get(name) for name in table.schema.names} for row in rows if row["day"] == day]
        pq.write_table(pa.Table.from_pylist(data, schema=table.schema), folder / "part-0.parquet")
    return out


def turn(day: int, user: int, i: int, utterance: str, song: str, defect: float = 0.05) -> dict[str, Any]:
    at = DAY + dt.timedelta(days=day, minutes=user, seconds=10 * i)
    return {
        "turn_id": f"{day}/{user}/{i}",
        "user_id": f"u{user}",
        "at": at,
        "day": f"{at:%Y-%m-%d}",
        "locale": "en-US" if user < 6 else "en-GB",
        "utterance": utterance,
        "asr_nbest": [{"text": utterance, "score": 0.9}, {"text": f"{utterance} a", "score": 0.1}],
        "domain": "music",
        "intent": "play",
        "slots": [("song", song)],
        "context": [("screen", "songs")],
        "defect": defect,
        "defective": defect >= 0.5,
        "signals": [],
    }


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each day each of nine users fails with one song and then gets it; one more request is theirs alone."""
    folder, rows, rephrases = tmp_path_factory.mktemp("log"), [], []
    for day in range(N_DAYS):
        for user in range(9):
            song = SONGS[(day + user) % 4]
            rows += [turn(day, user, 0, f"make {song} on", "?", 0.9), turn(day, user, 1, f"Play {song}!", song)]
            rows.append(turn(day, user, 2, f"call street {user} north", f"street {user}"))
            found = {"turn_id": f"{day}/{user}/0", "rephrase_turn_id": f"{day}/{user}/1", "probability": 0.9, "gap_s": 10.0}
            rephrases.append(found | {"model_version": "x", "day": rows[-1]["day"]})
    write(rows, TURNS, folder / "turns")
    write(rows, DEFECTS, folder / "defects")
    write(rephrases, REPHRASES, folder / "rephrases")
    return folder


def training(log: Path, tiny_bert: Path, folder: Path) -> list[str]:
    """Arguments of train_encoder but for --out, on the tiny BERT and for two steps."""
    config = folder / "c.toml"
    config.write_text(f'[train]\nencoder = "{tiny_bert}"\nmax_steps = 2\nbatch_size = 8\nthreads = 1\n')
    files = ["--turns", f"{log}/turns", "--defects", f"{log}/defects", "--rephrases", f"{log}/rephrases"]
    return [*files, "--config", str(config), "--days", "fit"]


@pytest.fixture(scope="module")
def encoder(spark, log: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    counts = train_encoder.main([*training(log, tiny_bert, folder), "--out", str(folder / "encoder")])
    assert counts["corpus"] == 13
    return folder / "encoder"


def arguments(log: Path, encoder: Path, out: Path, *more: str) -> list[str]:
    return [*("--turns", f"{log}/turns", "--defects", f"{log}/defects", "--encoder", str(encoder), "--out", str(out)), *more]


def same_bytes(a: Path, b: Path) -> bool:
    names = sorted(p.name for p in a.iterdir())
    return names == sorted(p.name for p in b.iterdir()) and all((a / n).read_bytes() == (b / n).read_bytes() for n in names)


def test_the_global_index_finds_what_many_asked_and_is_the_same_bytes_twice(spark, log, encoder, tmp_path: Path):
    counts = build_global.main(arguments(log, encoder, tmp_path / "a"))
    build_global.main(arguments(log, encoder, tmp_path / "b"))
    # Three users of en-GB are below the threshold of five.
    assert counts == {"entries": 4, "kind": "flat", "locales": 1, "contexts": 2}
    assert same_bytes(tmp_path / "a", tmp_path / "b")
    index = GlobalIndex.load(tmp_path / "a")
    assert index.encoder_version == OnnxEncoder(encoder).version
    alone = {"": 6.0, "music|play|song": 6.0}
    assert index.contexts.votes == {("en-US", None): alone, ("en-US", ("screen", "songs")): alone}
    assert index.contexts.hidden == 4.0
    for song in SONGS:
        hit = index.search(OnnxEncoder(encoder).encode([f"play {song}"]), 1, "en-US")[0][0]
        assert (hit.entry.utterance, hit.entry.slots, hit.entry.n_users) == (f"play {song}", {"song": song}, 6)
        assert (hit.entry.n_success, hit.entry.n_defect) == (12, 0)
        assert hit.score == pytest.approx(1.0, abs=1e-5)
    last = max(index.entries.entry(i).last_seen for i in range(4))
    assert dt.datetime.fromtimestamp(last, dt.UTC) == DAY + dt.timedelta(days=N_DAYS - 1, minutes=5, seconds=10)


def test_the_personal_index_gives_each_user_their_own_and_is_the_same_bytes_twice(spark, log, encoder, tmp_path: Path):
    counts = build_personal.main(arguments(log, encoder, tmp_path / "a", "--days", "fit"))
    build_personal.main(arguments(log, encoder, tmp_path / "b", "--days", "fit"))
    assert counts == {"users": 9, "entries": 45, "utterances": 13}
    assert same_bytes(tmp_path / "a", tmp_path / "b")
    store, model = LmdbStore(tmp_path / "a"), OnnxEncoder(encoder)
    for user in range(9):
        words = f"call street {user} north"
        assert {e.utterance for e in store.entries(f"u{user}")} == {words, *(f"play {s}" for s in SONGS)}
        best = store.search(f"u{user}", model.encode([words])[0], 1)[0]
        assert (best.entry.utterance, best.entry.n_success) == (words, 6)  # two of the eight days are held out
        assert best.score == pytest.approx(1.0, abs=2e-3)


def test_days_that_are_not_asked_for_change_nothing(spark, log, encoder, tmp_path: Path):
    build_global.main(arguments(log, encoder, tmp_path / "g", "--days", "fit"))
    index = GlobalIndex.load(tmp_path / "g")
    assert sum(index.entries.entry(i).n_success for i in range(len(index))) == 36  # six days of eight, six users


def test_a_missing_encoder_is_named_and_nothing_is_written(spark, log, tmp_path: Path):
    for job in (build_global, build_personal):
        with pytest.raises(RewriterError, match=r"none: encoder.json cannot be read"):
            job.main(arguments(log, tmp_path / "none", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_encoder_learns_from_what_the_rephrase_model_accepts(spark, log, encoder, tiny_bert, tmp_path: Path):
    pairs = json.loads((encoder / "encoder.json").read_text())["metrics"]["pairs"]
    assert pairs == {"alternative": 13, "rephrase": 4}
    strict = tmp_path / "rephrase"
    strict.mkdir()
    (strict / "decision.json").write_text('{"threshold": 0.95, "model_version": "r"}')
    again = [*training(log, tiny_bert, tmp_path), "--rephrase-model", str(strict), "--out", str(tmp_path / "b")]
    assert train_encoder.main(again)["pairs"] == 13
    (strict / "decision.json").write_text("{}")
    with pytest.raises(RewriterError, match=r"decision.json: no readable threshold"):
        train_encoder.main(again)
