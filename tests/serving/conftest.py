"""A real uvicorn server on a free port of this machine, in a thread or as the command a person would start."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from serving.app import create_app

ROOT = Path(__file__).parents[2]


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
