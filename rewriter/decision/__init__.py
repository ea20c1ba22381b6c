"""The run-time decision: which rewrite, if any, a request gets, and why."""
