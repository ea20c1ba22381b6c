"""BERT-family encoders: packaged weights, training, ONNX export, and inference without torch."""

import os

# Torch's threads otherwise spin while they wait for each other; beside any other busy process a small model then trains
# twenty times slower. Only the first import of torch in a process reads this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
