"""Rephrase detection: which later turn, if any, says a failed request again (span prediction over the window)."""
