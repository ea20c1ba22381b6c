"""A running service, and simulated users who talk to it: what the demo and the benchmarks share."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rewriter.errors import RewriterError
from rewriter.simulation.exchange import Answer, Request

_START_S = 60


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def served(bundles: Path, decisions: Path, log: Path) -> Iterator[int]:
    """The service over a folder of bundles as a process of its own; gives its port, and stops it at the end.

    Raises
    ------
    RewriterError
        If it does not become ready, with the last line it said.
    """
    port = free_port()
    command = [sys.executable, "-m", "jobs.serve", "--bundles", str(bundles), "--port", str(port)]
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen([*command, "--decisions", str(decisions)], stdout=said, stderr=subprocess.STDOUT)
        try:
            _wait_until_ready(port, process, log)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        time.sleep(0.1)
    last = (log.read_text("utf-8").strip().splitlines() or ["nothing was said"])[-1]
    raise RewriterError(f"the service did not become ready: {last}")


class ApiRewriter:
    """Asks the service for every request, over one kept connection a thread; an answer that does not come is no rewrite.

    What the experiment withheld is in the answer's `served` with its arm: the assistant serves the treatment arm alone.

    Attributes
    ----------
    latencies : dict
        Server-side milliseconds of every answer, by the layer that decided (``none`` included).
    arms : dict
        Arm of every request by its id: the service assigns whole users to the control arm.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()
        self._lock = threading.Lock()
        self.latencies: dict[str, list[float]] = {}
        self.arms: dict[str, str] = {}
        self.n_errors = 0

    def __call__(self, request: Request) -> Answer:
        """The service's answer to one request."""
        try:
            answer = self._post(json.dumps(request.body()).encode())
        except (OSError, http.client.HTTPException, ValueError):
            with self._lock:
                self.n_errors += 1
            return Answer(reason="no answer")
        experiment = answer["experiment"]
        said = experiment["withheld"] or answer
        with self._lock:
            self.latencies.setdefault(said["source"], []).append(float(answer["timings_ms"]["total"]))
            self.arms[request.request_id] = experiment["arm"]
        return Answer(
            served=said["rewrite"],
            rewrite_id=answer["rewrite_id"],
            layer=said["source"],
            arm=experiment["arm"],
            propensity=experiment["propensity"],
            bundle_version=answer["bundle_version"],
            reason=answer["reason"],
        )

    def _post(self, body: bytes) -> dict[str, Any]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.request("POST", "/v1/rewrite", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._local.connection = None
            raise
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"HTTP {response.status}")
        return dict(json.loads(content))
