"""Keep the classes that a small job loads, so that each JVM of this environment starts about twice as fast.

Java's class data sharing: the JVM writes what it has loaded when it ends, and `jobs.session` names the file to later ones.
A JVM or a Spark that has changed since does not use it; without the file everything works, only more slowly.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs import label_defects, simulate
from jobs.session import SHARED_CLASSES, spark_session


def main() -> None:
    """Simulate a few users, judge their turns, and keep the classes of that."""
    SHARED_CLASSES.unlink(missing_ok=True)
    with TemporaryDirectory(dir=SHARED_CLASSES.parent) as folder:
        log, kept = Path(folder, "log"), Path(folder, SHARED_CLASSES.name)
        os.environ["SPARK_SUBMIT_OPTS"] = f'-XX:ArchiveClassesAtExit="{kept}" -Xlog:disable'
        simulate.main(["--users", "40", "--days", "4", "--seed", "1", "--out", str(log)])
        label_defects.main(["--turns", str(log / "turns"), "--out", str(Path(folder, "defects"))])
        session = spark_session()
        gateway = session.sparkContext._gateway
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()  # the JVM ends with it
        gateway.proc.wait()
        if kept.exists():  # not every JVM keeps classes
            kept.replace(SHARED_CLASSES)  # at once: a JVM dies of half a file


if __name__ == "__main__":
    main()
