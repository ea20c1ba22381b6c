"""Foreign logs as files, the import run on them, and what it wrote."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.import_turns import main
from schemas.table import conform
from schemas.tables import QUARANTINE, TURNS

KEY = "0123456789abcdef"
ROW = {"turn_id": "t1", "user_id": "ann", "at": "2026-01-01T10:00:00Z", "locale": "en-US", "utterance": "play jazz"}


def jsonl(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def turns(out):
    files = sorted((out / "turns").glob("day=*/*.parquet"))
    rows = [row for f in files for row in conform(TURNS, pq.ParquetFile(f).read()).to_pylist()]
    return {row["turn_id"]: row for row in rows}


def quarantine(out):
    files = sorted((out / "quarantine").glob("*.parquet"))
    return [row for f in files for row in conform(QUARANTINE, pq.ParquetFile(f).read()).to_pylist()]


def snapshot(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def run(fmt, src, out, *more):
    return main([fmt, str(src), "--out", str(out), *more])


RICH = {
    "slots": {"genre": "jazz"},
    "asr_nbest": [{"text": "play jazz", "score": 0.5}],
    "barge_in": True,
    "turn_index": 3,
    "asr_confidence": 0.5,
    "response_status": "ok",
}


def as_file(fmt, path, rows):
    if fmt == "jsonl":
        return jsonl(path, *rows)
    if fmt == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            for row in rows:
                writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()})
        return path
    table = pa.Table.from_pylist(
        [r | {"slots": list(r["slots"].items()), "at": None} for r in rows],
        schema=pa.schema([TURNS.schema.field(n).with_nullable(True) for n in rows[0]]),
    )
    at = pa.array([r["at"].replace("Z", "+00:00") for r in rows]).cast(pa.timestamp("us", tz="UTC"))
    pq.write_table(table.set_column(table.column_names.index("at"), "at", at), path)
    return path
