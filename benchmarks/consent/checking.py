"""Checks over HTTP against the installed service: 300 single ones a second, and a thousand customers at once."""

from typing import Any

from consent.customers import pseudonym
from consent.observations import Observations, load_average, median, percentile
from consent.open_loop import Latencies, Load, send
from consent.processes import pss_mb
from consent.serving import served
from consent.signed_posts import bulk_body, check_body
from consent.workplace import Workplace

CHECKS_PER_S = 300.0
_CHECKS_FOR_S = 20
_BULKS_PER_S = 4.0
_BULKS = 100
_CUSTOMERS_PER_BULK = 1_000
_WARM_UP = 200
_STRIDE = 7_919
"""A prime: customers are asked about in no order of theirs."""


def measure_checks(workplace: Workplace, *, customers: int, scale: float, observations: Observations) -> dict[str, Any]:
    """Send checks at their times, then bulk checks, each alone; latencies count from when they were due.

    The first bulk check after a start waits until the service holds its customers in memory: a figure of its own.
    """
    checks = max(_WARM_UP, round(CHECKS_PER_S * _CHECKS_FOR_S * min(1.0, scale * 10)))
    bulks = max(10, round(_BULKS * min(1.0, scale * 10)))

    def some(first: int, count: int) -> list[str]:
        return [pseudonym(1 + (index * _STRIDE) % customers) for index in range(first, first + count)]

    with served(workplace) as service:

        def load(path: str, bodies: list[bytes], per_s: float) -> Latencies:
            return send(
                Load(
                    port=service.port,
                    path=path,
                    bodies=bodies,
                    per_s=per_s,
                    key=workplace.retailer_key,
                    service=workplace.world.keys.service.public,
                )
            )

        load("/v1/checks", [check_body(one) for one in some(0, _WARM_UP)], CHECKS_PER_S / 3)
        before = load_average()
        single = load("/v1/checks", [check_body(one) for one in some(_WARM_UP, checks)], CHECKS_PER_S)
        thousands = [bulk_body(some(index * _CUSTOMERS_PER_BULK, _CUSTOMERS_PER_BULK)) for index in range(1 + bulks)]
        first_bulk = load("/v1/bulk-checks", thousands[:1], _BULKS_PER_S)
        between = load_average()
        bulk = load("/v1/bulk-checks", thousands[1:], _BULKS_PER_S)
        service_mb = pss_mb(service.process.pid)
    engine = workplace.store.engine.value
    observations.note_all("check_s", engine=engine, values=single.seconds)
    observations.note_all("check_sent_late_s", engine=engine, values=single.late_s)
    observations.note_all("bulk_check_s", engine=engine, values=bulk.seconds)
    return {
        "check_median_ms": _ms(median(single.seconds)),
        "check_p95_ms": _ms(percentile(single.seconds, 95)),
        "check_p99_ms": _ms(percentile(single.seconds, 99)),
        "check_sent_late_p95_ms": _ms(percentile(single.late_s, 95)),
        "checks": checks,
        "checks_failed": single.failed,
        "check_load": before,
        "bulk_1000_first_s": round(first_bulk.seconds[0], 2),
        "bulk_1000_median_ms": _ms(median(bulk.seconds)),
        "bulk_1000_p95_ms": _ms(percentile(bulk.seconds, 95)),
        "bulk_checks": bulks,
        "bulk_checks_failed": bulk.failed,
        "bulk_load": between,
        "service_pss_mb": round(service_mb, 1),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
