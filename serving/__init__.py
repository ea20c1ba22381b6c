"""The run-time API and its stores. Never imports pyspark, torch or transformers."""
