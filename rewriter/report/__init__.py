"""The report of a run: its numbers, charts that each answer one question, and a page that opens offline."""
