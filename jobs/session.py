"""The one Spark session of a process, with the reason beside each setting."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

_DEFAULTS = {
    # Instants are UTC everywhere; the machine's zone must not move a day boundary.
    "spark.sql.session.timeZone": "UTC",
    # Rows cross to Python as Arrow batches, never as pickled rows.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Arrow batches large enough for vectorised work, small enough for two executors on a laptop.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
    # No port is opened on a batch machine, and tests start faster.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Parquet's own instant type, which every reader knows, instead of the retired INT96.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Forked Python workers are reused: importing NumPy and ONNX Runtime for each task would dominate small jobs.
    "spark.python.worker.reuse": "true",
}
#: Classes that a JVM of this environment has loaded before (`make setup` keeps them): Spark starts about twice as fast.
SHARED_CLASSES = Path(sys.prefix, "spark.jsa")
#: Two cores; a task may fail twice, as on a cluster: a worker that the system kills for its memory does not end the run.
_MASTER = "local[2,3]"
_LOCAL = {
    # A few partitions: the default of 200 costs more in scheduling than a local log takes to read.
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.memory": os.environ.get("REWRITER_DRIVER_MEMORY", "3g"),
    # Loopback: a laptop's name often resolves to an address that moves with its network.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


def _java_options() -> str:
    """Options of the driver's JVM, quoted: folders may have spaces. It loads anew, without a word, what it cannot share."""
    logging = f'-Dlog4j2.configurationFile="{Path(__file__).with_name("log4j2.properties")}"'
    return f'{logging} -XX:SharedArchiveFile="{SHARED_CLASSES}" -Xlog:disable' if SHARED_CLASSES.exists() else logging


def spark_session(name: str = "rewriter") -> SparkSession:
    """The running session, or a new one: as spark-submit set it, else on two of this machine's cores.

    ``REWRITER_MASTER`` names another local master; ``REWRITER_DRIVER_MEMORY`` the driver's memory.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.appName(name)
    submitted = "SPARK_SUBMIT" in os.environ or "SPARK_ENV_LOADED" in os.environ
    settings = _DEFAULTS
    if not submitted:
        builder = builder.master(os.environ.get("REWRITER_MASTER", _MASTER))
        settings = _DEFAULTS | _LOCAL | {"spark.driver.extraJavaOptions": _java_options()}
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
