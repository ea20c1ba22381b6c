"""Tables between the steps of one job, kept as Parquet: plans stay short, and a lost executor loses nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import DataFrame


class Scratch:
    """A folder for tables that several later steps read.

    Spark's own cache keeps the whole history in the plan: after some steps that build on each other, printing the plan takes
    longer than running it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._n_kept = 0

    def keep(self, frame: DataFrame) -> DataFrame:
        """The same rows, computed now and read back from the folder."""
        self._n_kept += 1
        path = str(self.folder / f"{self._n_kept:03d}")
        frame.write.parquet(path)
        return frame.sparkSession.read.schema(frame.schema).parquet(path)


@contextmanager
def scratch_beside(out: Path) -> Iterator[Scratch]:
    """A scratch folder on the same file system as ``out``, which all executors can reach; it is gone when the block ends."""
    folder = out.with_name(out.name + ".scratch")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield Scratch(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
