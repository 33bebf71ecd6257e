"""Metrics in Prometheus' text format, rendered from the plain numbers of the throttlers.

The text is rendered in pieces. For a thousand endpoints it takes milliseconds, and the event loop serves requests
between the pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kindler.activator.endpoint.counters import Histogram
from kindler.activator.endpoint.throttler import EndpointThrottler

BATCH = 50  # endpoints per piece; the event loop serves requests between two pieces

_HELP = {
    "kindler_invocations_total": ("counter", "Invocations by how they ended."),
    "kindler_throttled_total": ("counter", "Invocations throttled at the maximum concurrency."),
    "kindler_provisioned_invocations_total": ("counter", "Invocations placed in the warm pool."),
    "kindler_spillover_total": ("counter", "Invocations beside a warm pool that did not fit into it."),
    "kindler_processed_bytes_total": ("counter", "Bytes of bodies from (in) and to (out) clients."),
    "kindler_concurrent_executions": ("gauge", "Invocations that a model now works on."),
    "kindler_held_requests": ("gauge", "Invocations held until a pod has a free slot."),
    "kindler_provisioned_concurrency": ("gauge", "Invocations that the usable pods of the warm pool can run together."),
    "kindler_provisioned_concurrency_utilization": (
        "gauge",
        "Executions in the usable pods of the warm pool, divided by what they can run together.",
    ),
    "kindler_pool_pods": ("gauge", "Pods by pool (demand, warm) and state (usable, starting, going)."),
    "kindler_invocation_seconds": ("histogram", "From the end of the request's head to the end of the response."),
    "kindler_model_latency_seconds": ("histogram", "From the placement in a pod to the end of its response."),
    "kindler_overhead_seconds": ("histogram", "From the end of the request's head to its placement in a pod."),
    "kindler_cold_start_seconds": ("histogram", "From the request that caused a pod's start to each phase of it."),
}


Family = tuple[str, str, list[tuple[str, float]]]  # name, type, samples as (labels, value)


def pieces(throttlers: Iterable[EndpointThrottler], process: Iterable[Family]) -> Iterator[str]:
    """The whole text in pieces: first the families of the process, then the families of the endpoints.

    In Prometheus' format all samples of a family must be adjacent. Therefore each family has its own loop over all
    throttlers.
    """
    lines = []
    for name, kind, values in process:
        lines += [
            f"# TYPE {name} {kind}",
            *(f"{name}{{{labels}}} {value}" if labels else f"{name} {value}" for labels, value in values),
        ]
    yield _text(lines)
    known = list(throttlers)
    for family, (kind, text) in _HELP.items():
        samples = _SAMPLES[family]
        lines = [f"# HELP {family} {text}", f"# TYPE {family} {kind}"]
        for number, throttler in enumerate(known, 1):
            lines += samples(family, throttler)
            if number % BATCH == 0:
                yield _text(lines)
                lines = []
        yield _text(lines)


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""


def _labels(throttler: EndpointThrottler) -> str:
    forwarding = throttler.forwarding
    return f'namespace="{forwarding.namespace}",endpoint="{forwarding.endpoint}",variant="{forwarding.variant}"'


def _invocations(name: str, throttler: EndpointThrottler) -> list[str]:
    labels = _labels(throttler)
    return [f'{name}{{{labels},outcome="{outcome}"}} {count}' for outcome, count in throttler.counters.outcomes.items()]


def _throttled(name: str, throttler: EndpointThrottler) -> list[str]:
    return [f"{name}{{{_labels(throttler)}}} {throttler.counters.throttled}"]


def _warm(name: str, throttler: EndpointThrottler) -> list[str]:
    return [f"{name}{{{_labels(throttler)}}} {throttler.counters.provisioned}"] if _has_warm_pool(throttler) else []


def _spilled(name: str, throttler: EndpointThrottler) -> list[str]:
    return [f"{name}{{{_labels(throttler)}}} {throttler.counters.spilled}"] if _has_warm_pool(throttler) else []


def _bytes(name: str, throttler: EndpointThrottler) -> list[str]:
    labels = _labels(throttler)
    return [
        f'{name}{{{labels},direction="in"}} {throttler.counters.received}',
        f'{name}{{{labels},direction="out"}} {throttler.counters.sent}',
    ]


def _executions(name: str, throttler: EndpointThrottler) -> list[str]:
    return [f"{name}{{{_labels(throttler)}}} {throttler.in_flight}"]


def _held(name: str, throttler: EndpointThrottler) -> list[str]:
    return [f"{name}{{{_labels(throttler)}}} {throttler.held}"]


def _allocated(name: str, throttler: EndpointThrottler) -> list[str]:
    return (
        [f"{name}{{{_labels(throttler)}}} {throttler.pools.placement.allocated}"] if _has_warm_pool(throttler) else []
    )


def _utilization(name: str, throttler: EndpointThrottler) -> list[str]:
    placement = throttler.pools.placement
    if not placement.allocated:
        return []
    executing = sum(backend.in_use for backend in placement.warm)
    return [f"{name}{{{_labels(throttler)}}} {executing / placement.allocated:g}"]


def _pods(name: str, throttler: EndpointThrottler) -> list[str]:
    counts: dict[tuple[str, str], int] = {}
    for pod in throttler.pools.serving_pods():
        state = "going" if pod.marked else "usable" if pod.usable else "starting"
        counts[pod.facts.pool, state] = counts.get((pod.facts.pool, state), 0) + 1
    labels = _labels(throttler)
    return [f'{name}{{{labels},pool="{pool}",state="{state}"}} {count}' for (pool, state), count in counts.items()]


def _invocation(name: str, throttler: EndpointThrottler) -> list[str]:
    return _histogram(name, _labels(throttler), throttler.counters.invocation)


def _model(name: str, throttler: EndpointThrottler) -> list[str]:
    return _histogram(name, _labels(throttler), throttler.counters.model)


def _overhead(name: str, throttler: EndpointThrottler) -> list[str]:
    return _histogram(name, _labels(throttler), throttler.counters.overhead)


def _cold(name: str, throttler: EndpointThrottler) -> list[str]:
    labels = _labels(throttler)
    return [
        line
        for phase, histogram in throttler.counters.cold_starts.items()
        for line in _histogram(name, f'{labels},phase="{phase}"', histogram)
    ]


def _histogram(name: str, labels: str, histogram: Histogram | None) -> list[str]:
    if histogram is None:
        return []
    lines, total = [], 0
    for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
        total += count
        lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
    return [*lines, f"{name}_sum{{{labels}}} {histogram.total:.6f}", f"{name}_count{{{labels}}} {total}"]


def _has_warm_pool(throttler: EndpointThrottler) -> bool:
    return throttler.pools.route is not None and throttler.pools.route.warm_pool is not None


_SAMPLES = {
    "kindler_invocations_total": _invocations,
    "kindler_throttled_total": _throttled,
    "kindler_provisioned_invocations_total": _warm,
    "kindler_spillover_total": _spilled,
    "kindler_processed_bytes_total": _bytes,
    "kindler_concurrent_executions": _executions,
    "kindler_held_requests": _held,
    "kindler_provisioned_concurrency": _allocated,
    "kindler_provisioned_concurrency_utilization": _utilization,
    "kindler_pool_pods": _pods,
    "kindler_invocation_seconds": _invocation,
    "kindler_model_latency_seconds": _model,
    "kindler_overhead_seconds": _overhead,
    "kindler_cold_start_seconds": _cold,
}
