"""Model input of a source and its window: token sequences, and where each user turn begins and ends in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from rewriter.bert.runtime import Tokens
from rewriter.errors import RewriterError
from rewriter.rephrase.evidence import VIEWS
from rewriter.rephrase.log import Floats, Ints, Log
from rewriter.rephrase.markers import CLOSENESS, DEFECTS, GAPS_S, MARKERS, bucket, marker

#: Most tokens of a text: of a request, of the answer to the source, of the answer to a later turn.
REQUEST_TOKENS, RESPONSE_TOKENS, LATER_RESPONSE_TOKENS, ALSO_HEARD_TOKENS = 24, 12, 5, 8
#: A request keeps at least so many tokens, whatever else must go.
LEAST_REQUEST_TOKENS = 2


@dataclass(frozen=True)
class Encoded:
    """Model input of m sources.

    Attributes
    ----------
    tokens
        m sequences ``[CLS] source [SEP] window [SEP]``, token types 0 and 1.
    start, end
        First and last token of each of the next user turns, (m, window_turns), its marker being the first; -1 where there
        is no such turn.
    """

    tokens: Tokens
    start: Ints
    end: Ints


def _special_tokens(tokenizer: Tokenizer) -> tuple[int, int]:
    """Ids of ``[CLS]`` and ``[SEP]``, whatever the vocabulary calls them."""
    for first, separator in (("[CLS]", "[SEP]"), ("<s>", "</s>")):
        begin, end = tokenizer.token_to_id(first), tokenizer.token_to_id(separator)
        if begin is not None and end is not None:
            return begin, end
    raise RewriterError("tokenizer: has neither [CLS] and [SEP] nor <s> and </s>")


class TokenPool:
    """Distinct texts as runs of one flat array of token ids; run 0 is empty, then one run a marker, ``[CLS]``, ``[SEP]``."""

    def __init__(self, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
        size = tokenizer.get_vocab_size(with_added_tokens=True)
        special = _special_tokens(tokenizer)
        distinct = list(dict.fromkeys(texts))
        encodings = tokenizer.encode_batch_fast(distinct, add_special_tokens=False)
        runs: list[list[int]] = [
            [],
            *([size + i] for i in range(len(MARKERS))),
            *([i] for i in special),
            *(e.ids for e in encodings),
        ]
        self._first_text = 3 + len(MARKERS)
        self._number = {text: self._first_text + i for i, text in enumerate(distinct)}
        self.lengths = np.array([len(run) for run in runs], np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.ids = np.fromiter((i for run in runs for i in run), np.int64, int(self.lengths.sum()))
        self.cls, self.sep = 1 + len(MARKERS), 2 + len(MARKERS)

    def text(self, texts: Sequence[str]) -> Ints:
        """Run numbers of texts given at construction."""
        return np.array([self._number[t] for t in texts], np.int64)


def _mark(name: str, present: NDArray[np.bool_]) -> Ints:
    return np.where(present, 1 + marker(name), 0)


def _bucket_mark(prefix: str, values: Floats, bounds: tuple[float, ...], present: NDArray[np.bool_]) -> Ints:
    return np.where(present, 1 + marker(f"{prefix}_0") + bucket(values, bounds), 0)


def _status_mark(status: Ints, present: NDArray[np.bool_]) -> Ints:
    return np.where(present & (status >= 0), 1 + marker("status_ok") + status, 0)


def also_heard(text: str, alternatives: Sequence[str]) -> str:
    """Words of the recogniser's alternatives that its first choice lacks, in order, each once.

    >>> also_heard("in the in food", ["indian food", "in the indian food"])
    'indian'
    """
    known = set(text.split())
    return " ".join(dict.fromkeys(w for a in alternatives for w in a.split() if w not in known))


class _Layout:
    """Slots of the input in order; each is one run of the pool a source."""

    def __init__(self, n: int) -> None:
        self.runs: list[Ints] = []
        self.caps: list[int] = []
        self.types: list[int] = []
        self.n = n

    def add(self, runs: Ints | int, cap: int = 1, token_type: int = 0) -> int:
        """Append a slot; returns its number."""
        self.runs.append(np.broadcast_to(np.asarray(runs, np.int64), (self.n,)))
        self.caps.append(cap)
        self.types.append(token_type)
        return len(self.runs) - 1


def _shorten(lengths: Ints, loose: Sequence[int], requests: Sequence[int], max_length: int) -> None:
    """Cut in place until each row fits: oldest response first, then alternatives, then the longest requests' ends."""
    excess = lengths.sum(axis=1) - max_length
    for slot in loose:
        cut = np.clip(excess, 0, lengths[:, slot])
        lengths[:, slot] -= cut
        excess -= cut
    for cap in range(REQUEST_TOKENS - 1, LEAST_REQUEST_TOKENS - 1, -1):
        over = np.flatnonzero(excess > 0)
        if not len(over):
            return
        for slot in requests:
            cut = np.minimum(np.clip(lengths[over, slot] - cap, 0, None), np.clip(excess[over], 0, None))
            lengths[over, slot] -= cut
            excess[over] -= cut
    if (excess > 0).any():
        raise RewriterError(f"[rephrase] max_length = {max_length} tokens is too short for a request and its window")


def _assemble(pool: TokenPool, layout: _Layout, lengths: Ints) -> Tokens:
    runs = np.stack(layout.runs, axis=1)
    flat = lengths.ravel()
    first = np.cumsum(flat) - flat
    at = np.repeat(pool.starts[runs].ravel() - first, flat) + np.arange(int(flat.sum()))
    types = np.repeat(np.broadcast_to(layout.types, lengths.shape).ravel(), flat)
    starts = np.append(0, np.cumsum(lengths.sum(axis=1)))
    return Tokens(pool.ids[at], starts.astype(np.int64), types.astype(np.int64))


def _source_slots(log: Log, source: Ints, pool: TokenPool, layout: _Layout, heard: list[str]) -> tuple[list[int], list[int]]:
    always = np.ones(len(source), bool)
    layout.add(pool.cls)
    layout.add(_mark("source", always))
    layout.add(_bucket_mark("defect", log.defect[source], DEFECTS, always))
    layout.add(_mark("lost", log.lost[source]))
    request = layout.add(pool.text([log.utterance[i] for i in source]), REQUEST_TOKENS)
    layout.add(_mark("also_heard", np.array([bool(h) for h in heard], bool)))
    alternatives = layout.add(pool.text(heard), ALSO_HEARD_TOKENS)
    layout.add(_mark("barge_in", log.barge_in[source]))
    layout.add(_status_mark(log.status[source], always))
    layout.add(_mark("response", np.array([bool(log.response[i]) for i in source], bool)))
    response = layout.add(pool.text([log.response[i] for i in source]), RESPONSE_TOKENS)
    layout.add(pool.sep)
    return [request], [response, alternatives]


def _turn_slots(
    log: Log, source: Ints, k: int, views: Floats, pool: TokenPool, layout: _Layout
) -> tuple[int, int, int | None]:
    """Slots of the k-th next turn (k from 1): numbers of its marker, its request and its response."""
    present = log.following[source] >= k
    last = k == views.shape[1]
    later = np.where(present, source + k, source)
    texts = [log.utterance[j] if p else "" for j, p in zip(later, present, strict=True)]
    begin = layout.add(_mark("turn", present), 1, 1)
    layout.add(_bucket_mark("gap", log.at_s[later] - log.at_s[later - 1], GAPS_S, present), 1, 1)
    layout.add(_bucket_mark("close", views[:, k - 1, VIEWS.index("likeness")], CLOSENESS, present), 1, 1)
    request = layout.add(pool.text(texts), REQUEST_TOKENS, 1)
    layout.add(_mark("barge_in", present & log.barge_in[later]), 1, 1)
    layout.add(_mark("lost", present & log.lost[later]), 1, 1)
    layout.add(_status_mark(log.status[later], present), 1, 1)
    if last:
        return begin, request, None
    answers = [log.response[j] if p else "" for j, p in zip(later, present, strict=True)]
    return begin, request, layout.add(pool.text(answers), LATER_RESPONSE_TOKENS, 1)


def encode(log: Log, source: Ints, views: Floats, tokenizer: Tokenizer, max_length: int) -> Encoded:
    """Input of each source and the turns in its window.

    ``[CLS] <source> <defect> <lost>? request <also_heard> words <barge_in>? <status> <response> answer [SEP]`` and then, for
    each later turn, ``<turn> <gap> <close> request <barge_in>? <lost>? <status> answer`` and a last ``[SEP]``.

    Parameters
    ----------
    source
        Row numbers, (m,).
    views
        Of each source and its next turns, (m, window_turns, views), see `rewriter.rephrase.evidence`.
    max_length
        Longer inputs lose answers, the oldest first, then the recogniser's alternatives, then the ends of long requests;
        never a turn's markers.

    Raises
    ------
    RewriterError
        If ``max_length`` does not hold the markers and two tokens a request.
    """
    window = views.shape[1]
    heard = [also_heard(log.text[i], log.alternatives[i]) for i in source]
    rows = np.unique(np.concatenate([source + k for k in range(window + 1)]) if len(source) else source)
    rows = rows[rows < len(log)]
    texts = ["", *heard, *(log.utterance[i] for i in rows), *(log.response[i] for i in rows)]
    pool, layout = TokenPool(tokenizer, texts), _Layout(len(source))
    requests, loose = _source_slots(log, source, pool, layout, heard)
    turns = [_turn_slots(log, source, k, views, pool, layout) for k in range(1, window + 1)]
    layout.add(pool.sep, 1, 1)
    runs = np.stack(layout.runs, axis=1)
    lengths = np.minimum(pool.lengths[runs], np.array(layout.caps))
    loose = [loose[0], *(r for _, _, r in turns if r is not None), loose[1]]
    _shorten(lengths, loose, [*requests, *(r for _, r, _ in turns)], max_length)
    offsets = np.cumsum(lengths, axis=1) - lengths
    present = np.arange(1, window + 1) <= log.following[source][:, None]
    begin = offsets[:, [b for b, _, _ in turns]]
    end = offsets[:, [r for _, r, _ in turns]] + lengths[:, [r for _, r, _ in turns]] - 1
    return Encoded(_assemble(pool, layout, lengths), np.where(present, begin, -1), np.where(present, end, -1))
