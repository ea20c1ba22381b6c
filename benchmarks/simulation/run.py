"""How real the simulator looks: recogniser errors, retries, gaps and signals beside real dialogues.

Prints a table, and writes the same figures as JSON next to this command (``--json`` names another file).
``--dstc2`` needs turns.parquet and gold.parquet of restaurant calls, ``--slurp`` a requests.parquet of recordings with
what a recogniser made of them; both are only measured, and without them the file keeps their figures.

example: python -m benchmarks.simulation.run --dstc2 DATA/dstc2 --slurp DATA/slurp_a
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rewriter.simulation.simulate import simulate
from rewriter.simulation.tables import truth_table, turns_table
from rewriter.simulation.world import World

Figures = dict[str, float | None]
_HERE = Path(__file__).with_name("realism.json")
_WORDS = re.compile(r"[a-z0-9']+")


def words(text: str) -> list[str]:
    """Words of a text in lower case."""
    return _WORDS.findall(text.lower())


def edits(said: Sequence[str], heard: Sequence[str]) -> Counter[str]:
    """Substitutions, deletions and insertions of one cheapest alignment."""
    rows: list[list[tuple[int, Counter[str]]]] = [[(j, Counter(inserted=j)) for j in range(len(heard) + 1)]]
    for i, word in enumerate(said, start=1):
        row = [(i, Counter(deleted=i))]
        for j, other in enumerate(heard, start=1):
            same = word == other
            options = (
                (rows[-1][j - 1][0] + (not same), rows[-1][j - 1][1], None if same else "substituted"),
                (rows[-1][j][0] + 1, rows[-1][j][1], "deleted"),
                (row[j - 1][0] + 1, row[j - 1][1], "inserted"),
            )
            cost, before, kind = min(options, key=lambda option: option[0])
            row.append((cost, before + Counter({kind: 1} if kind else {})))
        rows.append(row)
    return rows[-1][-1][1]


def recogniser_figures(said: Sequence[str], heard: Sequence[str]) -> Figures:
    """Word and sentence error rates over pairs of texts."""
    total: Counter[str] = Counter()
    cache: dict[tuple[str, str], Counter[str]] = {}
    for a, b in zip(said, heard, strict=True):
        if (a, b) not in cache:
            cache[a, b] = edits(words(a), words(b))
        total += cache[a, b]
    n_words = sum(len(words(text)) for text in said)
    n_errors = sum(total.values())
    return {
        "word error rate": n_errors / n_words,
        "requests misheard": float(np.mean([words(a) != words(b) for a, b in zip(said, heard, strict=True)])),
        "substitutions of word errors": total["substituted"] / n_errors if n_errors else None,
        "words per request": n_words / len(said),
    }


def dialogue_figures(turns: pa.Table, truth: pa.Table) -> Figures:
    """Failures, what follows them, and how visible they are.

    ``truth`` has turn_id, said, meaning, defective and goal_turn for each row of ``turns``.
    """
    truth_of = {row["turn_id"]: row for row in truth.to_pylist()}
    rows = sorted(turns.to_pylist(), key=lambda row: (row["session_id"], row["at"], row["turn_id"]))
    kinds: Counter[str] = Counter()
    gaps: list[float] = []
    for place, row in enumerate(rows):
        gold = truth_of[row["turn_id"]]
        if not (gold["goal_turn"] and gold["defective"]):
            continue
        following = [r for r in rows[place + 1 : place + 4] if r["session_id"] == row["session_id"]]
        kinds["failed"] += 1
        kinds["last"] += not following
        same = [r for r in following if truth_of[r["turn_id"]]["meaning"] == gold["meaning"]]
        kinds["within three"] += bool(same)
        if following and same and same[0] is following[0]:
            repeated = words(truth_of[same[0]["turn_id"]]["said"]) == words(gold["said"])
            kinds["repeated" if repeated else "reworded"] += 1
            gaps.append((same[0]["at"] - row["at"]).total_seconds())
    n = kinds["failed"]
    return {
        "failures repeated word for word": kinds["repeated"] / n,
        "failures reworded at once": kinds["reworded"] / n,
        "failures said again within three turns": kinds["within three"] / n,
        "failures that end the session": kinds["last"] / n,
        "gap between attempts, median s": float(np.median(gaps)),
        "gap between attempts, 10% s": float(np.percentile(gaps, 10)),
        "gap between attempts, 90% s": float(np.percentile(gaps, 90)),
    } | _signals([(row, truth_of[row["turn_id"]]) for row in rows])


def _signals(rows: list[tuple[dict[str, object], dict[str, object]]]) -> Figures:
    goal = [(row, gold) for row, gold in rows if gold["goal_turn"]]
    failed = [row for row, gold in goal if gold["defective"]]
    done = [row for row, gold in goal if not gold["defective"]]
    bad = ("no_result", "fallback", "error", "unsupported")
    misheard = [(row, gold) for row, gold in rows if words(str(gold["said"])) != words(str(row["utterance"]))]
    in_nbest = [
        any(words(h["text"]) == words(str(gold["said"])) for h in (row["asr_nbest"] or [])[1:])  # type: ignore[index]
        for row, gold in misheard
    ]
    wrong, right = ({id(row) for row, _ in misheard}, [row for row, _ in rows])
    return {
        "requests failed": len(failed) / len(goal),
        "failures whose status says so": float(np.mean([row["response_status"] in bad for row in failed])),
        "successes whose status says failure": float(np.mean([row["response_status"] in bad for row in done])),
        "barge-in on failures": float(np.mean([bool(row["barge_in"]) for row in failed])),
        "barge-in on successes": float(np.mean([bool(row["barge_in"]) for row in done])),
        "misheard with the words in the n-best": float(np.mean(in_nbest)) if in_nbest else None,
        "recogniser confidence, heard right": _mean([r["asr_confidence"] for r in right if id(r) not in wrong]),
        "recogniser confidence, misheard": _mean([r["asr_confidence"] for r in right if id(r) in wrong]),
    }


def _mean(values: Sequence[object]) -> float | None:
    known = [float(v) for v in values if v is not None]  # type: ignore[arg-type]
    return float(np.mean(known)) if known else None


def simulated(users: int, days: int, seed: int) -> Figures:
    """Figures of an ordinary simulated log."""
    turns = simulate(World(seed), users, range(days))
    truth = truth_table(turns)
    log = turns_table(turns)
    gold = pa.table(
        {
            "turn_id": truth["turn_id"],
            "said": truth["intended_utterance"],
            "meaning": truth["goal"],
            "defective": truth["defective"],
            "goal_turn": [True] * truth.num_rows,
        }
    )
    heard = recogniser_figures(truth["intended_utterance"].to_pylist(), log["utterance"].to_pylist())
    return {"requests": float(len(turns))} | heard | dialogue_figures(log, gold)


def dstc2(folder: Path) -> Figures:
    """Figures of the restaurant calls."""
    gold = pq.read_table(folder / "gold.parquet", columns=["turn_id", "transcript", "meaning", "goal_turn", "defective"])
    gold = gold.rename_columns(["turn_id", "said", "meaning", "goal_turn", "defective"])
    turns = pq.read_table(folder / "turns.parquet").select(
        ["turn_id", "session_id", "at", "utterance", "asr_confidence", "asr_nbest", "response_status", "barge_in"]
    )
    heard = dict(zip(turns["turn_id"].to_pylist(), turns["utterance"].to_pylist(), strict=True))
    said = [(s, heard[i]) for i, s in zip(gold["turn_id"].to_pylist(), gold["said"].to_pylist(), strict=True) if s]
    recognised = recogniser_figures([a for a, _ in said], [b for _, b in said])
    return {"requests": float(turns.num_rows)} | recognised | dialogue_figures(turns, gold)


def slurp(folder: Path) -> Figures:
    """Figures of a recogniser on recorded requests."""
    table = pq.read_table(folder / "requests.parquet", columns=["sentence", "hypothesis", "intent_correct"])
    figures = recogniser_figures(table["sentence"].to_pylist(), table["hypothesis"].to_pylist())
    failed = 1.0 - float(np.mean(table["intent_correct"].to_numpy(zero_copy_only=False)))
    return {"requests": float(table.num_rows)} | figures | {"requests failed": failed}


def _row(name: str, columns: Sequence[Figures]) -> str:
    values = [column.get(name) for column in columns]
    cells = ["" if v is None else f"{v:,.0f}" if name == "requests" else f"{v:.3g}" for v in values]
    return f"| {name} | " + " | ".join(cells) + " |"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dstc2", type=Path, help="folder of the restaurant calls")
    parser.add_argument("--slurp", type=Path, help="folder of the recorded requests")
    parser.add_argument("--users", type=int, default=1500)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=_HERE)
    arguments = parser.parse_args(argv)
    columns: dict[str, Figures] = json.loads(arguments.json.read_text("utf-8")) if arguments.json.exists() else {}
    columns = {"simulated": simulated(arguments.users, arguments.days, arguments.seed)} | {
        name: figures for name, figures in columns.items() if name != "simulated"
    }
    if arguments.dstc2:
        columns["dstc2"] = dstc2(arguments.dstc2)
    if arguments.slurp:
        columns["slurp_a"] = slurp(arguments.slurp)
    arguments.json.write_text(json.dumps(columns, indent=2, sort_keys=True) + "\n", "utf-8")
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    print("\n".join(_row(name, list(columns.values())) for name in names))


if __name__ == "__main__":
    main()
