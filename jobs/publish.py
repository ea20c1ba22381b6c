"""Publish one bundle: pairs, indexes and models, checked, sealed, and made current in one step.

It refuses only damaged parts and cases of the regression set; a layer that missed its target is published switched off.
With --bundles alone, each part is taken from its place in the warehouse around that folder, where it exists.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.command import Parser, run_main
from rewriter.bundle import layout
from rewriter.bundle.controls import Controls
from rewriter.bundle.pairs import bundle_pairs, read_pairs
from rewriter.bundle.regression import Case, cases_of, read_cases, regression_faults
from rewriter.bundle.verify import verify
from rewriter.bundle.write import Parts, publish
from rewriter.config import as_dict, read_settings
from rewriter.decision.engine import Engine
from rewriter.decision.request import Request
from rewriter.errors import RewriterError
from rewriter.parquet import parquet_files, read_parquet
from rewriter.settings import Settings
from schemas.table import conform, day_of
from schemas.tables import WIN_LOSS

#: Argument -> place in a warehouse.
_PLACES = {
    "pairs": "tables/rewrite_pairs",
    "global": "indexes/global",
    "personal": "indexes/personal",
    "encoder": "models/encoder",
    "ranker": "models/ranker",
    "decision": "models/decision",
    "win_loss": "tables/win_loss",
}
_FOLDERS = ("global", "personal", "encoder", "ranker")
#: Regression cases are asked at a fixed instant, so that recency cannot change the verdict between two runs.
_ASKED_AT = datetime(2000, 1, 1, tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="rewriter publish",
        description=(__doc__ or "").strip(),
        epilog="example: rewriter publish --bundles warehouse/bundles",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", "--bundles", dest="out", type=Path, required=True, help="folder of bundles")
    parser.add_argument("--pairs", type=Path, help="table rewrite_pairs")
    parser.add_argument("--global", type=Path, help="global index")
    parser.add_argument("--personal", type=Path, help="personal indexes")
    parser.add_argument("--encoder", type=Path, help="bi-encoder")
    parser.add_argument("--ranker", type=Path, help="ranker")
    parser.add_argument("--decision", type=Path, help="folder or file decision.json: which layers are on, from where")
    parser.add_argument("--win-loss", type=Path, help="table win_loss, kept in the manifest")
    parser.add_argument("--turns", type=Path, help="the log behind the parts: its first and last day name the bundle")
    parser.add_argument("--regression", type=Path, help="JSON lines with source and rewrite that must not be served again")
    parser.add_argument("--config", type=Path, help="TOML settings; every key has a default")
    return parser


def _paths(args: argparse.Namespace) -> dict[str, Path]:
    """Each part's path: as given, else from the warehouse around the bundles if it is there."""
    paths = {name: path for name in _PLACES if (path := getattr(args, name)) is not None}
    if not paths:
        around = {name: args.out.parent / place for name, place in _PLACES.items()}
        paths = {name: path for name, path in around.items() if path.exists()}
    if "pairs" not in paths:
        raise RewriterError(
            f"no pairs to publish: give --pairs, or run the plan first ({args.out.parent / _PLACES['pairs']})"
        )
    if missing := [str(path) for path in paths.values() if not path.exists()]:
        raise RewriterError(f"no such file or folder: {', '.join(missing)}")
    return paths


def _data_days(turns: Path | None, pairs: pa.Table) -> tuple[str, ...]:
    """First and last day of the log, else of the pairs' evidence."""
    if turns is None:
        seen = pa.chunked_array([*pairs["first_seen"].chunks, *pairs["last_seen"].chunks], type=pairs["last_seen"].type)
        days = day_of(seen).to_pylist()
    else:
        folders = [file.parent.name for file in parquet_files(turns)]
        days = [name.removeprefix("day=") for name in folders if name.startswith("day=")]
        if len(days) < len(folders):
            at = read_parquet(turns, ["at"])
            if not at.num_columns:
                raise RewriterError(f"turns {turns}: missing 'at'")
            days = day_of(at["at"]).to_pylist()
    return (min(days), max(days)) if days else ()


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RewriterError(f"{path}: cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise RewriterError(f"{path}: expected an object")
    return value


def _finite(value: Any) -> Any:
    """The value with null where JSON has no number for it."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _win_loss(path: Path | None) -> tuple[dict[str, Any], ...]:
    if path is None:
        return ()
    data = conform(WIN_LOSS, read_parquet(path), str(path))
    keys = [(name, "ascending") for name in WIN_LOSS.key]
    return tuple(_finite(row) for row in data.sort_by(keys).to_pylist())


def _locales(pairs: pa.Table, global_index: Path | None) -> dict[str, int]:
    """Locale -> pairs and global entries the bundle has for it."""
    counts = Counter(pairs["locale"].to_pylist())
    if global_index is not None:
        counts.update(_json(global_index / "global.json").get("locales", {}))
    return dict(sorted(counts.items()))


def _metrics(pairs: pa.Table, paths: Mapping[str, Path], win_loss: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the manifest says about the bundle's quality."""
    cards = {name: paths[name] / f"{name}.json" for name in _FOLDERS if name in paths}
    models = {name: _finite(_json(card).get("metrics", {})) for name, card in cards.items() if card.exists()}
    return {
        "pairs": dict(sorted(Counter(pairs["status"].to_pylist()).items())),
        "locales": _locales(pairs, paths.get("global")),
        "win_loss": list(win_loss),
        "models": {name: metrics for name, metrics in models.items() if metrics},
    }


@dataclass(frozen=True)
class _Gate:
    """Refuses a written bundle that is damaged, does not load as a server loads it, or would serve a regression case."""

    parts: Parts
    controls: Controls

    def __call__(self, folder: Path) -> None:
        manifest = layout.read_manifest(folder)
        if faults := verify(folder, named=manifest["version"]):
            raise RewriterError("the new bundle is damaged: " + "; ".join(faults))
        engine = Engine.ready(folder, layout.main_locale(manifest))
        try:
            ask = partial(_answer, engine, self.controls)
            locales = manifest["metrics"]["locales"]
            faults = regression_faults(self.parts.regression, self.parts.pairs, locales, ask, self.controls)
        finally:
            engine.close()
        if faults:
            raise RewriterError(
                f"not published: {len(faults)} regression case(s) would be served again: " + "; ".join(faults)
            )


def _answer(engine: Engine, controls: Controls, locale: str, source: str) -> str | None:
    return engine.decide(Request(source, locale, at=_ASKED_AT), controls).rewrite


def _parts(paths: Mapping[str, Path], args: argparse.Namespace, settings: Settings, controls: Controls) -> Parts:
    mined = read_pairs(paths["pairs"])
    pairs = bundle_pairs(mined, controls, approval=settings.publish.approval)
    extra: list[Case] = read_cases(args.regression) if args.regression else []
    win_loss = _win_loss(paths.get("win_loss"))
    decision = paths.get("decision")
    if decision is not None and decision.is_dir():
        decision = decision / layout.DECISION
    return Parts(
        pairs=pairs,
        settings=as_dict(settings),
        data_days=_data_days(args.turns, mined),
        folders={name: paths[name] for name in _FOLDERS if name in paths},
        decision=_json(decision) if decision is not None else None,
        regression=tuple(cases_of(args.out, extra)),
        win_loss=win_loss,
        metrics=_metrics(pairs, paths, win_loss),
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Publish, and return the version with its counts of pairs.

    Raises
    ------
    RewriterError
        If a part cannot be read or the gate refuses; the current bundle stays current.
    """
    args = _parser().parse_args(argv)
    settings = read_settings(args.config)
    paths = _paths(args)
    if args.regression and not args.regression.exists():
        raise RewriterError(f"no such file or folder: {args.regression}")
    controls = Controls.read(args.out)
    parts = _parts(paths, args, settings, controls)
    bundle, left_out = publish(args.out, parts, controls, gate=_Gate(parts, controls))
    counts = parts.metrics["pairs"]
    print(f"published {bundle.name}: {counts.get('active', 0)} pairs, {counts.get('pending', 0)} pending")
    if left_out:
        print(f"{bundle.name} is not current: {left_out}; `rewriter bundles --activate {bundle.name}` makes it so")
    return {"version": bundle.name, "current": not left_out, **({"left_out": left_out} if left_out else {}), **counts}


if __name__ == "__main__":
    run_main(main)
