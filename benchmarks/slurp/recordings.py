"""What the benchmark reads: recordings as the recogniser heard them, what was said, and what could have been meant."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from rewriter.text import normalise


@dataclass(frozen=True)
class Recordings:
    """Normalised texts: ``heard[i]`` should find ``said[i]`` in ``corpus``, whose texts are distinct and sorted."""

    heard: list[str]
    said: list[str]
    corpus: list[str]


def _column(file: Path, name: str) -> list[str]:
    values: list[str] = pq.read_table(file, columns=[name]).column(name).to_pylist()
    return values


def recordings(folder: Path, ids: str, limit: int) -> Recordings:
    """At most ``limit`` distinct mishearings of the ``heldout`` ids or of the others (``train``), chosen by hash.

    The corpus is the set's texts to search, its development sentences, and all its true sentences, as if each had been
    asked before.
    """
    slurp = folder / "slurp_a"
    heldout = set(_column(slurp / "requests_heldout.parquet", "slurp_id"))
    table = pq.read_table(slurp / "requests.parquet", columns=["slurp_id", "hypothesis", "sentence"]).to_pylist()
    rows = [row for row in table if (row["slurp_id"] in heldout) == (ids == "heldout")]
    pairs = {(normalise(row["hypothesis"]), normalise(row["sentence"])) for row in rows}
    misheard = sorted(
        (p for p in pairs if p[0] and p[0] != p[1]), key=lambda p: hashlib.sha1("\t".join(p).encode()).digest()
    )
    texts = [*(slurp / "index_text.txt").read_text("utf-8").splitlines(), *_column(slurp / "devel.parquet", "sentence")]
    corpus = {normalise(text) for text in [*texts, *(row["sentence"] for row in table)]} - {""}
    chosen = misheard[:limit]
    return Recordings([heard for heard, _ in chosen], [said for _, said in chosen], sorted(corpus))
