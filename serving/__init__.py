"""The run-time API, its stores and the analysts' console. Never imports pyspark, torch or transformers."""
