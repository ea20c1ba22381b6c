"""The service at scale: a real server on one core, a bundle of a million entries, requests from another core.

precomputed  requests with a mined pair
full         requests that go through every layer, as text alone
nbest        the same with the recogniser's other hypotheses

Times are the server's own (`timings_ms`); what passes before it has the request and after it has the answer (HTTP on
one core of this machine) is in the client's. The histories of the users who ask are in memory.
The bundle is made once and kept in the folder (at full size 13 GB, twice that while it is written).
Writes benchmarks/results/serving.json and docs/pictures/serving.svg.

example: python -m benchmarks.serving.run --folder /tmp/world --entries 10000 --users 500 --pairs 1000 --encoded 2000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.real import ROOT
from benchmarks.serving.load import Reply
from benchmarks.serving.picture import picture
from benchmarks.serving.server import Cores, Server, asked, environment, pinned, serving
from benchmarks.serving.world import Size, make
from rewriter.bundle.layout import current
from rewriter.retrieval.personal_index import LmdbStore
from rewriter.settings import Settings

KINDS = ("precomputed", "full", "nbest")
_SHARE = 0.2  # of saturation, the load at which the whole answer is timed
_CONNECTIONS = 8  # that saturate the server


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {f"p{q}": round(float(np.percentile(values, q)), 4) for q in (50, 99)}


def timed(kind: str, answered: Sequence[Reply]) -> dict[str, Any]:
    """Milliseconds of replies: the decision, waiting for it, all in the server, all for the client; and of each step.

    Of the kind precomputed only those count that a mined pair answered (guards refuse some, which then go the full path),
    of the others those that were ranked.
    """
    replies = [reply for reply in answered if _is(kind, reply)]
    steps = [reply.answer["timings_ms"] for reply in replies]
    names = list(dict.fromkeys(name for step in steps for name in step))
    return {
        "n": len(replies),
        "service": percentiles([step["decide"] for step in steps]),
        "queueing": percentiles([step["total"] - step["decide"] for step in steps]),
        "server": percentiles([step["total"] for step in steps]),
        "client": percentiles([1e3 * reply.seconds for reply in replies]),
        "steps": {name: round(float(np.median([step.get(name, 0.0) for step in steps])), 4) for name in names},
        "late": sum("deadline" in reply.answer["reason"] for reply in answered),
    }


def _is(kind: str, reply: Reply) -> bool:
    if kind == "precomputed":
        return bool(reply.answer["source"] == kind)
    return "rank" in reply.answer["timings_ms"]


def median_of(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rounds of the same figures, each figure their median."""
    return {
        name: median_of([r[name] for r in rounds])
        if isinstance(value, dict)
        else float(np.median([r[name] for r in rounds]))
        for name, value in rounds[0].items()
    }


def measure_kind(server: Server, calls: Path, cores: Cores, kind: str, args: argparse.Namespace) -> dict[str, Any]:
    """One kind of request: one at a time, as many as it can, and at a fifth of that."""

    def ask(first: int, n: int, **options: object) -> list[Reply]:
        return asked(server, calls, cores.load, kind, first, n, **options)

    rounds, n = [], args.asked
    ask(0, n)  # opens what the first requests open
    for first in range(n, n * (1 + 3 * args.repeats), 3 * n):  # no request is asked twice: its vector would be kept
        before = server.cpu_s()
        alone = timed(kind, ask(first, n)) | {"cpu_ms": 1e3 * (server.cpu_s() - before) / n}
        many = ask(first + n, n, connections=_CONNECTIONS)
        per_s = len(many) / (max(r.due + r.seconds for r in many) - min(r.due for r in many))
        rate = _SHARE * per_s
        loaded = timed(kind, ask(first + 2 * n, n, rate=rate))
        rounds.append({"alone": alone, "saturation_per_s": per_s, "rate_per_s": rate, "loaded": loaded})
        print(f"{kind}: service {alone['service']}, {per_s:.0f} a second at most, loaded {loaded['client']}", flush=True)
    return median_of(rounds)


def _forget(bundle: Path) -> None:
    """Ask the system to drop the bundle's files from memory, so that a start reads them from the disk."""
    for path in bundle.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def starts(bundles: Path, cores: Cores, repeats: int) -> dict[str, Any]:
    """Seconds from the start of the process until it serves, its files in memory and not; verified whole each time."""
    found: dict[str, list[float]] = {"files_on_disk": [], "files_in_memory": []}
    for _ in range(repeats):
        _forget(current(bundles))
        for seconds in found.values():
            with serving(bundles, cores.server) as server:
                seconds.append(server.ready_s)
    return {name: {"median_s": float(np.median(s)), "most_s": max(s)} for name, s in found.items()}


def page_ms(bundle: Path, users: Sequence[str]) -> dict[str, Any]:
    """Milliseconds to read a user's history from the disk, and then from memory, where it stays for the server."""
    _forget(bundle)
    store, found = LmdbStore(bundle / "personal"), {}
    for name in ("on_disk", "in_memory"):
        times = []
        for user in users:
            began = time.perf_counter()
            store.entries(user)
            times.append(1e3 * (time.perf_counter() - began))
        found[name] = percentiles(times)
    store.close()
    return found


def _json_of(command: list[str]) -> Any:
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = Size()
    parser.add_argument("--folder", type=Path, default=ROOT / "demo/serving", help="where the bundle is made and kept")
    parser.add_argument("--entries", type=int, default=size.n_entries, help="of the global index")
    parser.add_argument("--users", type=int, default=size.n_users)
    parser.add_argument("--own", type=int, default=size.n_own, help="requests of each user")
    parser.add_argument("--pairs", type=int, default=size.n_pairs)
    parser.add_argument("--encoded", type=int, default=size.n_encoded, help="entries that the encoder reads")
    parser.add_argument("--small", action="store_true", help="a few hundred of everything: whether it runs, not how fast")
    parser.add_argument("--asked", type=int, default=1000, help="requests of each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the figures are their medians")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--cores", type=int, nargs=2, default=(cores[0], cores[-1]), help="of the server, and of who asks")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/serving.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/pictures/serving.svg")
    args = parser.parse_args(argv)
    if args.small:
        args.entries, args.users, args.own, args.pairs, args.encoded, args.asked, args.repeats = 500, 20, 10, 200, 100, 40, 1
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Make, measure, write, draw."""
    args = arguments_of(argv)
    n_asked = (1 + 3 * args.repeats) * args.asked
    size = Size(args.entries, args.users, args.own, args.pairs, n_asked, args.encoded)
    bundles, asked_for = make(args.folder, size)
    bundle, calls, cores = current(bundles), args.folder / "calls.json", Cores(*args.cores)
    result: dict[str, Any] = {"size": vars(size), "starts": starts(bundles, cores, args.repeats), "kinds": {}}
    users = sorted({call["user_id"] for kind in KINDS for call in asked_for[kind][:n_asked]})
    result["history_ms"] = page_ms(bundle, users)
    with serving(bundles, cores.server) as server:
        result["memory_mb"] = {"started": server.memory_mb()}
        for kind in KINDS:
            result["kinds"][kind] = measure_kind(server, calls, cores, kind, args)
        result["memory_mb"]["measured"] = server.memory_mb()
    same = ("--bundle", bundle, "--n", min(200, args.asked))
    result["parts"] = _json_of(pinned(cores.server, "benchmarks.serving.stages", *same, "--folder", args.folder))
    layers = Settings().retrieval.layers_cross_encoder
    torch = pinned(cores.server, "benchmarks.serving.torch_pipeline", *same, "--calls", calls, "--layers", layers)
    result["torch"] = _json_of(torch)
    for row in result["torch"]:
        row["times_slower"] = result["kinds"]["full"]["saturation_per_s"] / row["per_s"]
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    args.picture.write_text(picture(result, layers), "utf-8")
    print(json.dumps({name: result[name] for name in ("starts", "history_ms", "memory_mb", "parts", "torch")}, indent=1))


if __name__ == "__main__":
    main()
