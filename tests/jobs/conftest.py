"""A planted log for ranking: requests that are misheard, fail and are said again, and an index that knows the right ones."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.tables import DEFECTS, REPHRASES, REWRITE_PAIRS, TURNS

START = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
SONGS = "album rock jazz snow rain chicago london chaplin street kitchen district lights video south north".split()
N_DAYS, N_USERS = 8, 120


def garbled(song: str, kind: int) -> str:
    """One of three mishearings of a request; the first leaves several songs possible."""
    return (f"play the {song[:1]}", f"pay {song}", f"play {song} {song[:2]}")[kind % 3]


def turn(name: str, user: str, at: dt.datetime, text: str, song: str | None, **more: Any) -> dict[str, Any]:
    understood = {"domain": "music", "intent": "play", "slots": [("song", song)], "nlu_confidence": 0.9}
    row: dict[str, Any] = dict.fromkeys(TURNS.schema.names)
    row |= {
        "turn_id": name,
        "user_id": user,
        "session_id": name[:-2],
        "turn_index": int(name[-1]),
        "at": at,
        "locale": "en-US",
    }
    row |= {"utterance": text, "asr_confidence": 0.9 if song else 0.5, "response_status": "ok" if song else "fallback"}
    return row | (understood if song else {}) | more


def planted_turns(seed: int, failing: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Turns, and the rephrase of each that failed."""
    rng = np.random.default_rng(seed)
    turns, rephrases = [], []
    for i in range(N_DAYS * N_USERS):
        day, user = divmod(i, N_USERS)
        at = START + dt.timedelta(days=day, minutes=user)
        song = SONGS[int(rng.integers(len(SONGS)))]
        name = f"s{i:04d}"
        if rng.random() < failing:
            turns.append(turn(f"{name}-0", f"u{user}", at, garbled(song, int(rng.integers(3))), None))
            turns.append(turn(f"{name}-1", f"u{user}", at + dt.timedelta(seconds=8), f"play {song}", song))
            rephrases.append({"turn_id": f"{name}-0", "rephrase_turn_id": f"{name}-1", "probability": 0.9, "gap_s": 8.0})
        else:
            turns.append(turn(f"{name}-0", f"u{user}", at, f"play some {song} music", song))
    return turns, rephrases


@dataclass(frozen=True)
class World:
    """Folders of one planted log and of what was built from it."""

    root: Path

    def arguments(self, part: str, out: Path, **more: Path) -> list[str]:
        """The command line of a ranking job."""
        named = {
            name: self.root / name for name in ("turns", "defects", "rephrases", "pairs", "encoder", "global", "config.toml")
        }
        named = {name.removesuffix(".toml"): path for name, path in named.items() if path.exists()}
        options = named | {"out": out, **more}
        return [x for name, path in options.items() for x in (f"--{name}", str(path))] + ["--days", part]


def write(path: Path, rows: list[dict[str, Any]], table: Any) -> None:
    # Only turns carry an instant to take the day from.
    path = path / "day=2026-03-01" if "day" in table.partitions and "at" not in table.schema.names else path
    path.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path / "part.parquet")


def _index(folder: Path, encoder: Path) -> None:
    from rewriter.retrieval.encoder import OnnxEncoder
    from rewriter.retrieval.entries import Entry, table_of
    from rewriter.retrieval.global_index import GlobalIndex

    entries = [Entry(f"play {s}", "en-US", "music", "play", {"song": s}, 30, 1, 20, 1.7e9) for s in sorted(SONGS)]
    vectors = OnnxEncoder(encoder).encode([e.utterance for e in entries])
    folder.mkdir()
    GlobalIndex.build(table_of(entries), vectors, 1000).save(folder)


@pytest.fixture(scope="session")
def planted(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory):
    """``planted(seed, failing)``: a `World` of 8 days of 120 users, of whose requests a share fails and is rephrased."""
    from rewriter.bert.pretrained import load_pretrained
    from rewriter.retrieval.model import BiEncoder, save_onnx

    def build(seed: int = 0, failing: float = 0.5) -> World:
        root = tmp_path_factory.mktemp("planted")
        turns, rephrases = planted_turns(seed, failing)
        write(root / "turns", turns, TURNS)
        failed = {r["turn_id"] for r in rephrases}
        defects = [(t["turn_id"], t["turn_id"] in failed) for t in turns]
        write(
            root / "defects",
            [{"turn_id": n, "defect": 0.9 if d else 0.1, "defective": d, "signals": []} for n, d in defects],
            DEFECTS,
        )
        write(root / "rephrases", [r | {"model_version": "planted"} for r in rephrases], REPHRASES)
        common = {"locale": "en-US", "p_success_source": 0.1, "p_success_rewrite": 0.9, "lift": 0.8, "lift_lower": 0.6}
        common |= {
            "share": 0.9,
            "support_users": 20,
            "support_sessions": 20,
            "status": "active",
            "certified": True,
            "reason": "",
            "model_version": "m",
        }
        common |= {"first_seen": START, "last_seen": START, "domain": "music", "intent": "play"}
        write(root / "pairs", [common | {"source": f"pay {s}", "rewrite": f"play {s}"} for s in SONGS], REWRITE_PAIRS)
        (root / "encoder").mkdir()
        bert, tokenizer = load_pretrained(tiny_bert)
        save_onnx(BiEncoder(bert).eval(), root / "encoder" / "model.onnx")
        tokenizer.save(str(root / "encoder" / "tokenizer.json"))
        card = {"dim": 32, "max_length": 16, "pooling": "mean", "model_version": "tiny"}
        (root / "encoder" / "encoder.json").write_text(json.dumps(card))
        _index(root / "global", root / "encoder")
        (root / "config.toml").write_text(
            f'[train]\nencoder = "{tiny_bert}"\nmax_steps = 6\n[decide]\ntarget_win_loss = 3.0\nmin_wins = 8\n'
            'protected_intents = ["call"]\nprotected_words = ["stop"]\n'
        )
        return World(root)

    return build


@pytest.fixture(scope="session")
def planted_world(planted) -> World:
    """A log in which half the requests fail and are rephrased."""
    return planted()
