"""A bundle of any size made with the product's own writers, and the requests to ask it; kept for later runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.serving.ranker import write_ranker
from benchmarks.serving.texts import Said, requests
from benchmarks.serving.vectors import encoded, near, write_encoder
from rewriter.bundle.controls import Controls
from rewriter.bundle.layout import CURRENT
from rewriter.bundle.pairs import bundle_pairs
from rewriter.bundle.write import Parts, publish
from rewriter.config import as_dict
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.page import PersonalEntries
from rewriter.retrieval.personal_index import write_store
from rewriter.settings import Experiment, Settings
from rewriter.simulation.recogniser import ACCENTS, NOISY, Recogniser
from schemas.tables import INDEX_ENTRIES, REWRITE_PAIRS

LOCALE, SEED = "en-US", 7
_AT = datetime(2026, 3, 1, tzinfo=UTC)
#: Every layer is on, so that every request takes the whole path.
_DECISION = {
    "layers": {
        name: {"enabled": True, "threshold": threshold, "reason": "on for the benchmark"}
        for name, threshold in (("precomputed", 0.0), ("personal", 0.5), ("global", 0.5), ("alternative", 0.5))
    }
}


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Attributes
    ----------
    n_encoded
        Entries that the encoder reads; the vectors of the others are drawn near them.
    """

    n_entries: int = 1_000_000
    n_users: int = 100_000
    n_own: int = 200
    n_pairs: int = 100_000
    n_asked: int = 4000
    n_encoded: int = 250_000


def _domain(said: Said) -> str:
    return said.intent.split(".")[0]


def _entries(texts: Sequence[Said], rng: np.random.Generator) -> pa.Table:
    n = len(texts)
    columns = {
        "scope": ["global"] * n,
        "locale": [LOCALE] * n,
        "utterance": [said.utterance for said in texts],
        "domain": [_domain(said) for said in texts],
        "intent": [said.intent for said in texts],
        "slots": [sorted(said.slots) for said in texts],
        "n_success": rng.integers(5, 500, n),
        "n_defect": rng.integers(0, 5, n),
        "n_users": rng.integers(5, 200, n),
        "last_seen": rng.integers(1_764_547_200_000_000, 1_772_323_200_000_000, n),
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in INDEX_ENTRIES.schema], schema=INDEX_ENTRIES.schema)


def _users(texts: Sequence[Said], vectors: NDArray[np.float32], size: Size) -> Iterator[tuple[str, PersonalEntries]]:
    """Users with requests of their own, popular ones more often; their pages share the texts' 8-bit vectors."""
    rng = np.random.default_rng(SEED)
    everything = PersonalEntries.of((), vectors)
    popular = rng.permutation(len(texts))
    for user in range(size.n_users):
        rows = np.unique(popular[(len(texts) * rng.random(2 * size.n_own) ** 2).astype(np.int64)])[: size.n_own]
        own, n = [texts[row] for row in rows], len(rows)
        columns = {
            "utterance": [said.utterance for said in own],
            "locale": [LOCALE] * n,
            "domain": [_domain(said) for said in own],
            "intent": [said.intent for said in own],
            "slots": [dict(said.slots) for said in own],
            "n_success": rng.integers(1, 30, n).tolist(),
            "n_defect": [0] * n,
            "n_users": [1] * n,
            "last_seen": rng.integers(1_764_547_200, 1_772_323_200, n).astype(float).tolist(),
        }
        yield f"u{user:06d}", PersonalEntries(columns, everything.codes[rows], everything.scales[rows])


def _heard(texts: Sequence[Said], n: int, seed: int) -> list[dict[str, Any]]:
    """Requests that a recogniser in noise misheard, each once and none of them an entry, with its other hypotheses."""
    rng, known, found = Random(seed), {said.utterance for said in texts}, dict[str, dict[str, Any]]()
    recogniser = Recogniser(
        SEED, {word for said in texts[:: max(1, len(texts) // 50_000)] for word in said.utterance.split()}
    )
    while len(found) < n:
        said = rng.choice(texts)
        heard = recogniser.hear(rng, said.utterance, rng.randrange(len(ACCENTS)), NOISY)
        if heard.text not in known:
            nbest = [{"text": text, "score": score} for text, score in heard.nbest]
            found[heard.text] = {"said": said, "confidence": heard.confidence, "nbest": nbest}
    return [{"utterance": text, **rest} for text, rest in found.items()]


def _pairs(heard: Sequence[dict[str, Any]]) -> pa.Table:
    same = {
        "locale": LOCALE,
        "p_success_source": 0.2,
        "p_success_rewrite": 0.9,
        "lift": 0.7,
        "lift_lower": 0.5,
        "share": 0.8,
    }
    same |= {"support_users": 20, "support_sessions": 40, "support_days": 7, "certified": True, "status": "active"}
    same |= {"reason": "", "model_version": "benchmark", "first_seen": _AT, "last_seen": _AT}
    rows = [
        same
        | {
            "source": h["utterance"],
            "rewrite": h["said"].utterance,
            "domain": _domain(h["said"]),
            "intent": h["said"].intent,
        }
        for h in heard
    ]
    return pa.Table.from_pylist(rows, schema=REWRITE_PAIRS.schema)


def _calls(heard: Sequence[dict[str, Any]], size: Size) -> list[dict[str, Any]]:
    """Bodies of ``POST /v1/rewrite``, from users drawn alike."""
    rng = Random(SEED)
    return [
        {
            "utterance": h["utterance"],
            "user_id": f"u{rng.randrange(size.n_users):06d}",
            "locale": LOCALE,
            "at": _AT.isoformat(),
            "asr_confidence": h["confidence"],
            "nbest": h["nbest"],
            "deadline_ms": 1000,
        }
        for h in heard
    ]


def _parts(folder: Path, texts: list[Said], size: Size, settings: Settings, heard: Sequence[dict[str, Any]]) -> Parts:
    """Everything that a bundle is published from, in scratch folders."""
    folders = {name: folder / "parts" / name for name in ("global", "personal", "ranker")}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    folders["encoder"] = write_encoder(folder / "encoder")
    encoder = OnnxEncoder(folders["encoder"])
    vectors = near(encoded([said.utterance for said in texts], encoder, folder / "vectors.npy", size.n_encoded))
    table = _entries(texts, np.random.default_rng(SEED))
    flat, letters = settings.retrieval.flat_limit, settings.retrieval.k_letters > 0
    GlobalIndex.build(table, vectors, flat, encoder.version, letters=letters).save(folders["global"])
    write_store(folders["personal"], _users(texts, vectors, size), encoder.dim, encoder.version)
    write_ranker(folders["ranker"], settings.retrieval.layers_cross_encoder)
    return Parts(
        pairs=bundle_pairs(_pairs(heard), Controls(), approval=False),
        settings=as_dict(settings),
        data_days=("2026-02-01", "2026-02-28"),
        folders=folders,
        decision=_DECISION,
        metrics={"locales": {LOCALE: len(texts)}},
    )


def make(folder: Path, size: Size, settings: Settings | None = None) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """Bundles of this size, and the calls to ask, by kind; made once."""
    asked = folder / "calls.json"
    if not (folder / "bundles" / CURRENT).exists() or not asked.exists():
        settings = replace(settings or Settings(), experiment=Experiment(control=0.0, holdout=0.0))
        folder.mkdir(parents=True, exist_ok=True)
        texts = sorted(requests(size.n_entries, SEED))
        heard = _heard(texts, size.n_pairs + size.n_asked, SEED)
        parts = _parts(folder, texts, size, settings, heard[: size.n_pairs])
        publish(folder / "bundles", parts, Controls())
        shutil.rmtree(folder / "parts")
        calls = {
            "precomputed": _calls(heard[: size.n_pairs][: size.n_asked], size),
            "nbest": _calls(heard[size.n_pairs :], size),
        }
        calls["full"] = [{name: value for name, value in call.items() if name != "nbest"} for call in calls["nbest"]]
        asked.write_text(json.dumps(calls), "utf-8")
    return folder / "bundles", json.loads(asked.read_text("utf-8"))
