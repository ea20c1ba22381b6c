"""BERT-family encoders: packaged weights, training, ONNX export, and inference without torch."""
