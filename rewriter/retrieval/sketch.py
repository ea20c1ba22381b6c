"""How a request is spelt and sounds as a short vector. Nothing is learnt, so a rare name is found like a common word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rewriter.text import sounds_of

DIM = 256
LENGTHS = (2, 3)  # letters a gram; longer ones find no more (benchmarks/slurp)
_SPELT, _HEARD = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F  # keep grams of letters and of sounds apart
_PRIME, _MIX = np.uint64(0x100000001B3), np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(33)


def _hashes(text: str, salt: int) -> NDArray[np.uint64]:
    """One hash a gram of the text between two blanks: FNV-1a over the letters, then mixed as MurmurHash3 ends."""
    codes = np.frombuffer(f" {text} ".encode("utf-32-le"), "<u4").astype(np.uint64)
    parts = []
    for n in LENGTHS:
        h = np.full(max(len(codes) - n + 1, 0), salt + n, np.uint64)
        for j in range(n):
            h = (h ^ codes[j : j + len(h)]) * _PRIME
        parts.append(h)
    h = np.concatenate(parts)
    h = (h ^ (h >> _SHIFT)) * _MIX
    return h ^ (h >> _SHIFT)


def sketch(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors (n, DIM) of length 1 of normalised texts; their inner product is near the cosine of their gram counts.

    The grams are of the letters and of the Metaphone keys. Each is hashed to a dimension and a sign, so that grams which
    share a dimension cancel out on average.

    References
    ----------
    Charikar, Chen and Farach-Colton 2004, "Finding frequent items in data streams", section 3 (count sketch); Weinberger et
    al. 2009, "Feature hashing for large scale multitask learning", section 2.

    Examples
    --------
    >>> a, b, c = sketch(["what's the whether", "what's the weather", "play some jazz"])
    >>> round(float(a @ b), 1), round(float(a @ c), 1)
    (0.9, 0.0)
    """
    out = np.zeros((len(texts), DIM), np.float32)
    for i, text in enumerate(texts):
        h = np.concatenate([_hashes(text, _SPELT), _hashes(sounds_of(text), _HEARD)])
        signs = np.where(h >> np.uint64(63), 1.0, -1.0)
        out[i] = np.bincount((h % np.uint64(DIM)).astype(np.int64), weights=signs, minlength=DIM)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    return out
