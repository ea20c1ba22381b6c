"""Spark entry points, one job a file, and the `rewriter` command."""
