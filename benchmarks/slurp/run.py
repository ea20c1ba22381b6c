"""Is the meant request found in assistant recordings with a recogniser's real errors, and is it right to rewrite to it.

recall     of the request that was meant among texts to search, by our encoder and letters and by simpler ways
decisions  of a served bundle on the held-out recordings, scored at the level of intents by a frozen NLU

The recordings are looked for in REWRITER_DATA, the scorers in REWRITER_EVAL (default: eval beside it); neither is shipped.
A bundle comes from `rewriter run --config examples/slurp.toml` over turns_train and, for the setting `seen`, turns_seen.
Prints a table; writes JSON, where settings that are not run again keep their figures.

example: python -m benchmarks.slurp.run --seen seen/bundles --unseen unseen/bundles
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.real import ROOT, data_folder
from benchmarks.slurp.decisions import decide
from benchmarks.slurp.recordings import recordings
from benchmarks.slurp.retrieval import DEPTHS, candidates, methods, recall
from rewriter.settings import Retrieval

RESULTS = ROOT / "benchmarks/results/slurp.json"
SETTINGS = ("seen", "unseen")


def _share(part: dict[str, float]) -> str:
    return f"{100 * part['share']:.1f} [{100 * part['low']:.1f}, {100 * part['high']:.1f}]".rjust(20)


def recall_table(found: dict[str, Any]) -> str:
    """One line a way to find the meant request, recall in percent with its 95% interval."""
    head = f"{'recall, %':40}" + "".join(f"@{k}".rjust(20) for k in DEPTHS)
    return "\n".join([head, *(f"{name:40}" + "".join(map(_share, row.values())) for name, row in found.items())])


def decision_line(setting: str, scored: dict[str, Any]) -> str:
    """Wins, losses, their ratio with its 95% interval, and the share of defects fixed."""
    low, high = scored["ratio_low"] or 0.0, scored["ratio_high"] or float("inf")
    ratio = scored["ratio"] if scored["ratio"] is not None else float("nan")
    return (
        f"{setting:8} {scored['triggered']:,} of {scored['n']:,} rewritten: "
        f"{scored['wins']} wins, {scored['losses']} losses, {ratio:.1f} to 1 (95% {low:.1f} to {high:.1f}), "
        f"{100 * scored['share_of_defects_fixed']:.1f}% of {scored['defects_before']} defects fixed"
    )


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for setting in SETTINGS:
        parser.add_argument(f"--{setting}", type=Path, help=f"folder of bundles that learnt in the setting {setting}")
    parser.add_argument("--ids", choices=("heldout", "train"), default="heldout", help="whose recordings are searched for")
    parser.add_argument("--queries", type=int, default=1000, help="distinct mishearings to search for")
    parser.add_argument("--no-recall", action="store_true", help="decisions only")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    args = arguments_of(argv)
    data = data_folder("slurp_a/requests.parquet")
    result: dict[str, Any] = json.loads(args.json.read_text("utf-8")) if args.json.exists() else {}
    bundles = {name: path for name in SETTINGS if (path := getattr(args, name)) is not None}
    if not args.no_recall:
        texts = recordings(data, args.ids, args.queries)
        current = next((path / (path / "CURRENT").read_text().strip() for path in bundles.values()), None)
        scores = methods(texts, current)
        found = {name: recall(matrix, texts) for name, matrix in scores.items()}
        ours = scores["MiniLM, zero-shot" if current is None else "encoder of the bundle"]
        among = candidates(ours, scores["letters"], texts, Retrieval())
        card = {"corpus": len(texts.corpus), "bundle": current is not None, "ways": found, "candidates": among}
        result[f"recall_{args.ids}"] = card
        print(f"{recall_table(found)}\n{'among the candidates of the service':40}{_share(among)}", flush=True)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    for setting, folder in bundles.items():
        result[setting] = decide(folder, data, folder / f"decisions-{setting}.jsonl")
        print(decision_line(setting, result[setting]["scored"]), flush=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
