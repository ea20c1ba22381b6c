"""The threads that decide: results in turn, and an end also when one of them is stuck."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from serving.pool import Pool

ROOT = Path(__file__).parents[2]


def test_results_and_errors_reach_who_waits_for_them():
    pool = Pool(1, "test")
    done, broken = pool.submit(lambda: 6 * 7), pool.submit(lambda: 1 / 0)
    assert done.result(20) == 42
    with pytest.raises(ZeroDivisionError):
        broken.result(20)
    assert pool.close(20)


def test_a_stuck_thread_is_left_behind_and_what_waits_is_cancelled():
    started, release = threading.Event(), threading.Event()
    pool = Pool(1, "test")
    stuck = pool.submit(lambda: started.set() or release.wait(60))
    waiting = pool.submit(lambda: 42)
    assert started.wait(20)
    assert not pool.close(0.05)
    assert waiting.cancelled()
    release.set()
    assert stuck.result(20) is True


SCRIPT = """
import threading
from serving.pool import Pool
started = threading.Event()
pool = Pool(1, "stuck")
pool.submit(lambda: started.set() or threading.Event().wait())
started.wait()
print(pool.close(0.05))
"""


def test_a_stuck_thread_keeps_no_process_from_ending():
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
