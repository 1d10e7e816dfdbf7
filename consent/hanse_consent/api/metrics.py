"""Figures for Prometheus: how often, how fast, with what outcome. Summed over all controllers, naming nobody.

They are served on a port of their own on loopback, because how much one partner writes is not another's business.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ServiceMetrics:
    """The service's own counters; one object per service."""

    def __init__(self) -> None:
        self.collected = CollectorRegistry()
        self._requests = Counter(
            "hanse_consent_requests_total",
            "Requests answered.",
            ("method", "path", "status"),
            registry=self.collected,
        )
        self._request_seconds = Histogram(
            "hanse_consent_request_seconds",
            "Seconds from a request's first byte to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self.collected,
        )
        self._decisions = Counter(
            "hanse_consent_decisions_total", "Single decisions, by outcome.", ("outcome",), registry=self.collected
        )
        self._acts = Counter("hanse_consent_acts_total", "Acts recorded.", registry=self.collected)
        self._manifests = Counter("hanse_consent_manifests_total", "Cohort manifests issued.", registry=self.collected)
        self.ready = Gauge("hanse_consent_ready", "1 while the service can answer.", registry=self.collected)

    def request(self, *, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answered request. ``path`` is one that the service has, or a placeholder."""
        self._requests.labels(method, path, str(status)).inc()
        self._request_seconds.labels(path).observe(seconds)

    def decided(self, *, permitted: int, denied: int) -> None:
        """Count decisions."""
        self._decisions.labels("permitted").inc(permitted)
        self._decisions.labels("denied").inc(denied)

    def recorded(self, acts: int) -> None:
        """Count recorded acts."""
        self._acts.inc(acts)

    def issued_manifest(self) -> None:
        """Count a manifest."""
        self._manifests.inc()

    def serve(self, port: int) -> None:
        """Serve the figures on loopback at ``port``, in a thread of their own, until the process ends."""
        start_http_server(port, addr="127.0.0.1", registry=self.collected)
