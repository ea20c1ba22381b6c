"""What the service counts, in the Prometheus text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serving.decision_writer import DecisionWriter
from serving.feedback import FeedbackLog
from serving.holder import Holder

#: Seconds: a table hit takes a tenth of a millisecond, a full path a few.
_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Metrics:
    """Counters of one service."""

    def __init__(self, holder: Holder, log: DecisionWriter, feedback: FeedbackLog) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("rewriter_requests", "Answers by the layer that decided and arm.", "source", "arm")
        self._errors = self._counter("rewriter_errors", "Answers without a rewrite because something failed.", "reason")
        self._malformed = self._counter("rewriter_malformed", "Requests refused as malformed.", "status")
        self._feedback = self._counter("rewriter_feedback", "Feedback events.", "feedback")
        self._latency = Histogram(
            "rewriter_latency_seconds",
            "Time from the whole request to the answer, by the layer that decided.",
            ["layer"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._bundle = Gauge("rewriter_bundle_info", "The bundle in service.", ["version"], registry=self._registry)
        faults = Gauge("rewriter_bundle_faults", "Changes of the bundle folder not taken over.", registry=self._registry)
        faults.set_function(lambda: len(holder.faults))
        dropped = Gauge("rewriter_decisions_dropped", "Decisions that the log lost.", registry=self._registry)
        dropped.set_function(lambda: log.dropped)
        damaged = Gauge("rewriter_feedback_damaged", "Feedback lines that are no events.", registry=self._registry)
        damaged.set_function(lambda: feedback.damaged)
        self._holder = holder

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self._registry)

    def answered(self, source: str, arm: str, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(source, arm).inc()
        self._latency.labels(source).observe(seconds)

    def failed(self, reason: str) -> None:
        """Count an answer without a rewrite because something failed: deadline, overload or failure."""
        self._errors.labels(reason).inc()

    def refused(self, status: int) -> None:
        """Count a malformed request."""
        self._malformed.labels(str(status)).inc()

    def heard(self, feedback: str) -> None:
        """Count a feedback event."""
        self._feedback.labels(feedback).inc()

    def text(self) -> bytes:
        """All metrics, as Prometheus scrapes them."""
        self._bundle.clear()
        self._bundle.labels(self._holder.version).set(1)
        return generate_latest(self._registry)
