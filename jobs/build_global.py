"""Turns, defects and an encoder to the global index: what many users asked with success, its vectors and its contexts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobs.command import job_parser, run_main
from jobs.contexts import context_rows, contexts_from
from jobs.days import select_days
from jobs.entries import global_entries, requests, usage
from jobs.session import spark_session
from jobs.storage import read_table, whole_folder
from jobs.vectors import collect_sorted, take_vectors, with_vectors
from rewriter.config import read_settings
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.global_index import GlobalIndex
from schemas.table import conform
from schemas.tables import DEFECTS, INDEX_ENTRIES, TURNS

EXAMPLE = "--turns log/turns --defects out/tables/defects --encoder out/models/encoder --out out/indexes/global"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the files of `GlobalIndex.save`; returns the counts."""
    parser = job_parser("build_global", __doc__, EXAMPLE, days=True)
    parser.add_argument("--turns", type=Path, required=True, help="turns: a folder or one Parquet file")
    parser.add_argument("--defects", type=Path, required=True, help="defects of the turns")
    parser.add_argument("--encoder", type=Path, required=True, help="the model of train_encoder")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    encoder = OnnxEncoder(args.encoder)
    spark = spark_session()
    turns = select_days(read_table(spark, args.turns, TURNS), args.days, settings.evaluate.heldout_share)
    defects = read_table(spark, args.defects, DEFECTS)
    max_defect, min_users = settings.retrieval.max_defect, settings.privacy.min_users_global
    entries = global_entries(usage(requests(turns, defects, max_defect)), min_users, settings.mine.user_cap)
    asked = context_rows(turns, defects, max_defect, min_users, settings.sessions.max_gap_s)
    contexts = contexts_from(asked, min_users)
    with whole_folder(args.out) as folder, TemporaryDirectory(dir=folder) as scratch:
        rows = collect_sorted(with_vectors(entries, args.encoder), ("locale", "utterance"), Path(scratch, "entries"))
        vectors = take_vectors(rows, encoder.dim)
        index = GlobalIndex.build(
            conform(INDEX_ENTRIES, rows.drop(["vector"])),
            vectors,
            settings.retrieval.flat_limit,
            encoder.version,
            letters=settings.retrieval.k_letters > 0,
            contexts=contexts,
        )
        index.save(folder)
    return {"entries": len(index), "kind": index.kind, "locales": len(index.locales), "contexts": len(contexts.votes)}


if __name__ == "__main__":
    run_main(main)
