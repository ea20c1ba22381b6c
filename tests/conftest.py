"""Fixtures that every part shares: one Spark session, a tiny random BERT, builders of turns."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("REWRITER_DRIVER_MEMORY", "1500m")


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    """One session for the whole run: starting a second JVM would cost more than most tests."""
    from jobs.session import spark_session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = spark_session("tests")
    yield session
    session.stop()
