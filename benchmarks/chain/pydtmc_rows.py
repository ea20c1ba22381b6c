"""All rows of C by PyDTMC, in an environment of its own (it needs an older NumPy); prints JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pydtmc


def main(folder: Path) -> None:
    """Time the fundamental matrix of a saved graph of a thousand states or so."""
    source, target, weight, success, failure = (
        np.load(folder / f"{name}.npy") for name in ("source", "target", "weight", "success", "failure")
    )
    n = len(success)
    P = np.zeros((n + 2, n + 2))
    P[source, target] = weight
    P[:n, n], P[:n, n + 1] = success, failure
    P[n, n] = P[n + 1, n + 1] = 1.0
    P /= P.sum(axis=1, keepdims=True)
    begun = time.perf_counter()
    chain = pydtmc.MarkovChain(P)
    N = np.asarray(chain.fundamental_matrix)
    seconds = time.perf_counter() - begun
    assert N.shape == (n, n)
    print(
        json.dumps(
            {"name": f"PyDTMC {pydtmc.__version__}", "n_states": n, "seconds": seconds, "seconds_per_source": seconds / n}
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
