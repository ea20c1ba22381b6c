"""A real uvicorn server on a free port of this machine, in a thread or as the command a person would start."""

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn

from rewriter.ranking.combiner import Combiner
from rewriter.ranking.features import NAMES
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.entries import Entry, table_of
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.page import PersonalEntries
from rewriter.retrieval.personal_index import write_store
from serving.app import create_app

ROOT = Path(__file__).parents[2]
LAYERS = {
    name: {"enabled": True, "threshold": 0.5, "reason": "test"}
    for name in ("precomputed", "personal", "global", "alternative")
}


@pytest.fixture(scope="session")
def live():
    """Context manager: a client of an app that runs under uvicorn in a thread; the app is its ``app``."""

    @contextmanager
    def serve(bundles, decisions=None, limits=None):
        app = create_app(bundles, decisions or bundles.parent / "decisions", limits)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False, lifespan="on"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            client.app, client.server = app, server
            yield client
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()

    return serve


@pytest.fixture(scope="session")
def command():
    """Context manager: `rewriter serve` in a process of its own, as (url, process)."""

    @contextmanager
    def serve(bundles, *options):
        line = [sys.executable, "-m", "jobs.serve", "--bundles", str(bundles), "--port", "0", *options]
        process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            said = process.stdout.readline()
            assert said.startswith("serving "), said + process.stderr.read()
            yield said.split()[-1], process
        finally:
            process.terminate()
            process.communicate(timeout=20)

    return serve


@pytest.fixture
def bundles(tmp_path, pair, publish_pairs):
    """A folder of bundles with one version of two pairs, the experiment off."""
    folder = tmp_path / "bundles"
    publish_pairs(folder, pair(), pair(source="turn of the light", rewrite="turn off the light", domain="home"))
    return folder


@pytest.fixture(scope="session")
def models(tiny_bert, tmp_path_factory):
    """Folders of models and indexes, as the jobs write them: a tiny encoder, and a ranker that goes by wording."""
    from rewriter.bert.pretrained import load_pretrained
    from rewriter.retrieval.model import BiEncoder, save_onnx

    root = tmp_path_factory.mktemp("models")
    folders = {name: root / name for name in ("encoder", "global", "personal", "ranker")}
    for folder in folders.values():
        folder.mkdir()
    bert, tokenizer = load_pretrained(tiny_bert)
    save_onnx(BiEncoder(bert).eval(), folders["encoder"] / "model.onnx")
    tokenizer.save(str(folders["encoder"] / "tokenizer.json"))
    card = {"dim": 32, "max_length": 16, "pooling": "mean", "model_version": "tiny"}
    (folders["encoder"] / "encoder.json").write_text(json.dumps(card))
    encoder = OnnxEncoder(folders["encoder"])

    def entry(text, n_users):
        return Entry(text, "en-US", "music", "play_music", {}, 9, 0, n_users, 1.7e9)

    everybody = [entry(text, 20) for text in ("play jazz music", "show traffic news", "turn the lights off")]
    vectors = encoder.encode([e.utterance for e in everybody])
    GlobalIndex.build(table_of(everybody), vectors, 1000).save(folders["global"])
    own = {name: [entry(text, 1)] for name, text in (("ann", "play my kitchen album"), ("bob", "play my kitchen song"))}
    pages = {name: PersonalEntries.of(es, encoder.encode([e.utterance for e in es])) for name, es in own.items()}
    write_store(folders["personal"], sorted(pages.items()), 32)
    by_wording = np.array([20.0 if name == "characters" else 0.0 for name in NAMES])
    first = Combiner(NAMES, np.zeros(len(NAMES)), np.ones(len(NAMES)), by_wording, -14.0)
    (folders["ranker"] / "ranker.json").write_text(json.dumps({"first": first.as_json(), "full": None}))
    return folders


@pytest.fixture
def full(tmp_path, pair, publish_pairs, models):
    """A folder of bundles with one version of every part, every layer on."""
    folder = tmp_path / "bundles"
    publish_pairs(folder, pair(), folders=models, decision={"layers": LAYERS})
    return folder


class Layer:
    """A layer that does what it is told before it passes; put into a real engine to break or delay it."""

    name = "told"

    def __init__(self, do):
        self.do = do

    def decide(self, request, known):
        self.do(request)


@pytest.fixture(scope="session")
def first_layer():
    """Put a call before the layers of the engine that an app serves from."""

    def insert(app, do):
        with app.state.holder.lease() as loaded:
            loaded.engine.layers = (Layer(do), *loaded.engine.layers)

    return insert
