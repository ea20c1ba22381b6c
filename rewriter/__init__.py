"""The algorithms: plain arrays and frozen dataclasses, no Spark, no web, no Airflow."""

import os

# Torch's threads otherwise spin while they wait for each other; beside any other busy process a small model then trains
# ten to twenty times slower. Only the first import of torch in a process reads this, so it stands before all of them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
