"""Inference with ONNX Runtime and tokenizers alone: no torch, no transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from rewriter.errors import RewriterError

Ids = NDArray[np.int64]

#: Tokens (rows times padded length) of one call: large enough to feed the cores, small enough to stay in cache.
TOKENS_A_BATCH = 2048
_FEW = 32  # texts that one thread tokenizes sooner than several


def load_tokenizer(path: str | Path) -> Tokenizer:
    """The tokenizer of a ``tokenizer.json`` or of the folder that holds one, without padding or truncation.

    Raises
    ------
    RewriterError
        If the file is missing or unreadable.
    """
    file = Path(path)
    file = file / "tokenizer.json" if file.is_dir() else file
    if not file.is_file():
        raise RewriterError(f"tokenizer {file}: no such file")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise RewriterError(f"tokenizer {file}: cannot be read ({error})") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@dataclass(frozen=True)
class Tokens:
    """Token sequences of different lengths: row i is ``ids[starts[i]:starts[i + 1]]`` (int64, n + 1 starts)."""

    ids: Ids
    starts: Ids
    types: Ids

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Tokens:
        """Sequences of token ids, with their token types (zeros if absent)."""
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=starts[1:])
        ids = np.fromiter((i for row in rows for i in row), np.int64, int(starts[-1]))
        if types is None:
            return cls(ids, starts, np.zeros_like(ids))
        return cls(ids, starts, np.fromiter((i for row in types for i in row), np.int64, int(starts[-1])))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Ids:
        """Tokens of each row, (n,)."""
        return np.diff(self.starts)

    def row(self, row: int) -> tuple[Ids, Ids]:
        """Ids and token types of one row, each (1, its length)."""
        part = slice(int(self.starts[row]), int(self.starts[row + 1]))
        return self.ids[None, part], self.types[None, part]

    def padded(self, rows: Ids) -> tuple[Ids, Ids, Ids]:
        """Ids, attention mask and token types of the rows, each (len(rows), longest of them), padded with zeros."""
        lengths = self.lengths[rows]
        columns = np.arange(int(lengths.max(initial=1)), dtype=np.int64)
        mask = columns < lengths[:, None]
        at = np.where(mask, self.starts[rows][:, None] + columns, 0)
        return np.where(mask, self.ids[at], 0), mask.astype(np.int64), np.where(mask, self.types[at], 0)


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> Tokens:
    """Texts as ``[CLS] ... [SEP]`` sequences of at most ``max_length`` tokens; the end of a longer one is cut."""
    return Tokens.of([_cut(e.ids, max_length) for e in _encodings(tokenizer, texts)])


def tokenize_pairs(tokenizer: Tokenizer, first: Sequence[str], second: Sequence[str], max_length: int) -> Tokens:
    """Pairs as ``[CLS] a [SEP] b [SEP]`` with token types 0 and 1, the end of a longer one cut to ``max_length``."""
    encodings = _encodings(tokenizer, list(zip(first, second, strict=True)))
    rows = [_cut(e.ids, max_length) for e in encodings]
    types = [e.type_ids[:max_length] for e in encodings]
    return Tokens.of(rows, types)


def _encodings(tokenizer: Tokenizer, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Encoding]:
    """Encodings of texts or pairs of texts; those of one request not by the tokenizer's threads, which wake too slowly."""
    if len(texts) > _FEW:
        encodings: list[Encoding] = tokenizer.encode_batch_fast(list(texts))
        return encodings
    return [tokenizer.encode(*text) if isinstance(text, tuple) else tokenizer.encode(text) for text in texts]


def _cut(ids: list[int], max_length: int) -> list[int]:
    return ids if len(ids) <= max_length else [*ids[: max_length - 1], ids[-1]]


def buckets(lengths: Ids, tokens_a_batch: int = TOKENS_A_BATCH, max_rows: int = 128) -> Iterator[Ids]:
    """Row numbers in batches of similar length: sorted by length, each batch at most ``tokens_a_batch`` when padded.

    >>> [b.tolist() for b in buckets(np.array([9, 2, 3, 8]), tokens_a_batch=18)]
    [[1, 2], [3, 0]]
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and stop - start < max_rows:
            padded = int(lengths[order[stop]]) * (stop - start + 1)
            if padded > tokens_a_batch or lengths[order[stop]] > 1.5 * lengths[order[start]] + 8:
                break
            stop += 1
        yield order[start:stop]
        start = stop


class OnnxModel:
    """One ONNX graph on CPU with a fixed number of threads.

    Parameters
    ----------
    path
        The graph, or the folder that holds ``model.onnx``.
    threads
        Threads inside an operator; sums, and so the last digits, may change with their number.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        file = Path(path)
        file = file / "model.onnx" if file.is_dir() else file
        if not file.is_file():
            raise RewriterError(f"model {file}: no such file")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads must not burn the core that the caller needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class
            raise RewriterError(f"model {file}: not a readable ONNX graph ({str(error).splitlines()[0]})") from error
        self.inputs = tuple(i.name for i in self._session.get_inputs())
        self.outputs = tuple(o.name for o in self._session.get_outputs())

    def run(self, input_ids: Ids, attention_mask: Ids, **extra: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """Outputs of one padded batch: ids and mask int64 (n, length); ``extra`` inputs the graph lacks are ignored."""
        given = {"input_ids": input_ids, "attention_mask": attention_mask, **extra}
        results = self._session.run(None, {name: given[name] for name in self.inputs})
        return [np.asarray(r) for r in results]

    def run_all(
        self, tokens: Tokens, tokens_a_batch: int = TOKENS_A_BATCH
    ) -> Iterator[tuple[Ids, list[NDArray[np.generic]]]]:
        """Row numbers and outputs, batch after batch of similar lengths."""
        for rows in buckets(tokens.lengths, tokens_a_batch):
            ids, mask, types = tokens.padded(rows)
            yield rows, self.run(ids, mask, token_type_ids=types)
