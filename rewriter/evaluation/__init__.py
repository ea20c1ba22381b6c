"""Win/loss of rewriting, its intervals, and the proxy used where nothing was rewritten."""
