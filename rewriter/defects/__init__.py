"""Was this turn a failure? Named signals of the log, rules that join them, and a calibrated model over both."""
