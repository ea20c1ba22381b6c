"""Ranking: named features, a cross-encoder and one calibrated probability that a rewrite wins."""
