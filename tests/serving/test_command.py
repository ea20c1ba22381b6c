"""`rewriter serve` as a person starts it: quick, clear about what is wrong, and gone without a trace on SIGTERM."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from jobs.serve import listen, main
from rewriter.bundle.layout import current, current_version
from rewriter.decision_log import read_decisions

ROOT = Path(__file__).parents[2]


def fails(*options):
    done = subprocess.run(
        [sys.executable, "-m", "jobs.serve", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_it_serves_says_where_and_stops_cleanly_with_every_decision_on_disk(bundles, command):
    with command(bundles) as (url, process):
        answers = [
            httpx.post(f"{url}/v1/rewrite", json={"utterance": "play beet it", "request_id": f"r{n}"}) for n in range(5)
        ]
        assert {a.json()["bundle_version"] for a in answers} == {current_version(bundles)}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    assert sorted(read_decisions(bundles.parent / "decisions")["request_id"].to_pylist()) == [f"r{n}" for n in range(5)]


def test_a_rollback_by_another_process_reaches_it(bundles, command, pair, publish_pairs):
    first = current_version(bundles)
    publish_pairs(bundles, pair(rewrite="play something else"))
    with command(bundles) as (url, _):
        subprocess.run([sys.executable, "-m", "jobs.cli", "rollback", "--bundles", str(bundles)], cwd=ROOT, check=True)
        for _ in range(200):
            if httpx.get(f"{url}/health/ready").json()["bundle_version"] == first:
                break
            time.sleep(0.05)
        assert httpx.post(f"{url}/v1/rewrite", json={"utterance": "play beet it"}).json()["rewrite"] == "play beat it"


def test_no_bundle_is_one_clear_line(tmp_path):
    assert "publish one first" in fails("--bundles", str(tmp_path), "--port", "0")
    assert "publish one first" in fails("--bundles", str(tmp_path / "nowhere"), "--port", "0")


def test_a_taken_port_is_one_clear_line(bundles):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in fails("--bundles", str(bundles), "--port", str(port))


def test_a_flipped_byte_is_one_clear_line_that_names_the_file(bundles):
    path = current(bundles) / "pairs.parquet"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    assert "pairs.parquet does not match its checksum" in fails("--bundles", str(bundles), "--port", "0")


@pytest.mark.parametrize("port", ["http", "-1", "99999"])
def test_an_impossible_port_is_one_clear_line(port, bundles):
    assert "port" in fails("--bundles", str(bundles), "--port", port)


@pytest.mark.parametrize(
    "option",
    ["--workers=0", "--workers=-2", "--max-in-flight=0", "--deadline-ms=0", "--deadline-ms=-5", "--deadline-ms=nan"],
)
def test_limits_with_which_nothing_is_answered_are_one_clear_line(option, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--bundles", str(tmp_path), option])
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert option.split("=")[0] + " must be" in said


def test_connections_send_each_packet_at_once():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_serving_loads_neither_spark_nor_torch_nor_transformers():
    script = "import json, sys, jobs.serve, jobs.control, jobs.publish; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"pyspark", "torch", "transformers"}.isdisjoint(json.loads(done.stdout))
