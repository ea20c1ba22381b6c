"""Fixtures that every part shares: one Spark session, a tiny random BERT, builders of turns."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("REWRITER_DRIVER_MEMORY", "1500m")
# Logs of tests are small: compiling hot loops twice costs more than it wins, in each of the many JVMs. Without the second
# compiler a JVM keeps room for a fifth of the usual code, which the whole suite fills.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m")


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    """One session for the whole run: starting a second JVM would cost more than most tests."""
    from jobs.session import spark_session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = spark_session("tests")
    yield session
    session.stop()


TINY_WORDS = (
    "a about album alarm and any bank by call chaplin cheap chicago chinese district east expensive food for four "
    "good hour in italian jazz kitchen light lights living list london long main make me minutes moderate music my "
    "navigate news next north of off on order part phone play please put rain remind restaurant rock room set "
    "shopping show snow song south stop street tell ten thai the thirty timer to town traffic turn two video volume "
    "weather west what will"
).split()


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random 2-layer BERT of 32 dimensions and a WordPiece tokenizer, in the Hugging Face layout."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny_bert")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789'"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *TINY_WORDS]
    vocabulary = list(dict.fromkeys(pieces))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return folder


@pytest.fixture(scope="session")
def pair() -> Callable[..., dict[str, Any]]:
    """One row of `rewrite_pairs`, with overrides."""
    seen = datetime(2026, 1, 2, 12, tzinfo=UTC)
    base = {
        "locale": "en-US",
        "source": "play beet it",
        "rewrite": "play beat it",
        "p_success_source": 0.1,
        "p_success_rewrite": 0.9,
        "lift": 0.8,
        "lift_lower": 0.7,
        "share": 0.8,
        "support_users": 20,
        "support_sessions": 30,
        "support_days": 5,
        "certified": True,
        "status": "active",
        "reason": "20 users",
        "model_version": "m1",
        "first_seen": seen,
        "last_seen": seen,
        "domain": "music",
        "intent": "play_song",
    }
    return lambda **overrides: base | overrides


@pytest.fixture(scope="session")
def publish_pairs() -> Callable[..., Path]:
    """Publish rows of `rewrite_pairs` as a bundle without models, the experiment off; returns the bundle's folder."""
    import pyarrow as pa

    from rewriter.bundle.controls import Controls
    from rewriter.bundle.pairs import bundle_pairs
    from rewriter.bundle.write import Parts, publish
    from schemas.tables import REWRITE_PAIRS

    def publish_rows(bundles: Path, *rows: dict[str, Any], control: float = 0.0, holdout: float = 0.0, **parts: Any) -> Path:
        controls = Controls.read(bundles)
        pairs = bundle_pairs(pa.Table.from_pylist(list(rows), schema=REWRITE_PAIRS.schema), controls, approval=False)
        locales = dict(Counter(pairs["locale"].to_pylist()))
        given = {
            "settings": {"experiment": {"control": control, "holdout": holdout}},
            "data_days": ("2026-01-01", "2026-01-02"),
            "metrics": {"locales": locales, "pairs": {"active": len(rows)}},
        }
        return publish(bundles, Parts(pairs=pairs, **(given | parts)), controls)[0]

    return publish_rows
