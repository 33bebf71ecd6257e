"""Prometheus text, written by hand from plain numbers: a scrape of a thousand endpoints costs milliseconds, and is given in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kindler.activator.counts import Histogram
from kindler.activator.desk import EndpointDesk

AT_ONCE = 50  # endpoints per piece: the loop serves requests between two

_HELP = {
    "kindler_invocations_total": ("counter", "Invocations by how they ended."),
    "kindler_throttled_total": ("counter", "Invocations throttled at the maximum concurrency."),
    "kindler_provisioned_invocations_total": ("counter", "Invocations placed in the warm pool."),
    "kindler_spillover_total": ("counter", "Invocations beside a warm pool that did not fit into it."),
    "kindler_processed_bytes_total": ("counter", "Bytes of bodies from (in) and to (out) clients."),
    "kindler_concurrent_executions": ("gauge", "Invocations now at a model."),
    "kindler_held_requests": ("gauge", "Invocations now waiting for a place."),
    "kindler_provisioned_concurrency": ("gauge", "Invocations that the usable pods of the warm pool take together."),
    "kindler_provisioned_concurrency_utilization": ("gauge", "Executions in the usable pods of the warm pool, by what they take together."),
    "kindler_pool_pods": ("gauge", "Pods by pool (demand, warm) and state (usable, starting, going)."),
    "kindler_invocation_seconds": ("histogram", "From the end of the request's head to the end of the answer."),
    "kindler_model_latency_seconds": ("histogram", "From the place in a pod to the end of its answer."),
    "kindler_overhead_seconds": ("histogram", "From the end of the request's head to its place in a pod."),
    "kindler_cold_start_seconds": ("histogram", "From the request that asked to each phase of a pod's start."),
}


Family = tuple[str, str, list[tuple[str, float]]]  # name, type, samples as (labels, value)


def pieces(desks: Iterable[EndpointDesk], process: Iterable[Family]) -> Iterator[str]:
    """The whole text in pieces: first what belongs to no endpoint."""
    lines = []
    for name, kind, values in process:
        lines += [f"# TYPE {name} {kind}", *(f"{name}{{{labels}}} {value}" if labels else f"{name} {value}" for labels, value in values)]
    yield _text(lines)
    # A family's samples must stand together: one round over the desks per family, each in pieces.
    known = list(desks)
    for family, (kind, told) in _HELP.items():
        samples = _SAMPLES[family]
        lines = [f"# HELP {family} {told}", f"# TYPE {family} {kind}"]
        for number, desk in enumerate(known, 1):
            lines += samples(family, desk)
            if number % AT_ONCE == 0:
                yield _text(lines)
                lines = []
        yield _text(lines)


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""


def _labels(desk: EndpointDesk) -> str:
    terms = desk.terms
    return f'namespace="{terms.namespace}",endpoint="{terms.endpoint}",variant="{terms.variant}"'


def _invocations(name: str, desk: EndpointDesk) -> list[str]:
    labels = _labels(desk)
    return [f'{name}{{{labels},outcome="{outcome}"}} {count}' for outcome, count in desk.counts.outcomes.items()]


def _throttled(name: str, desk: EndpointDesk) -> list[str]:
    return [f"{name}{{{_labels(desk)}}} {desk.counts.throttled}"]


def _warm(name: str, desk: EndpointDesk) -> list[str]:
    return [f"{name}{{{_labels(desk)}}} {desk.counts.provisioned}"] if _has_warm_pool(desk) else []


def _spilled(name: str, desk: EndpointDesk) -> list[str]:
    return [f"{name}{{{_labels(desk)}}} {desk.counts.spilled}"] if _has_warm_pool(desk) else []


def _bytes(name: str, desk: EndpointDesk) -> list[str]:
    labels = _labels(desk)
    return [f'{name}{{{labels},direction="in"}} {desk.counts.received}', f'{name}{{{labels},direction="out"}} {desk.counts.sent}']


def _executions(name: str, desk: EndpointDesk) -> list[str]:
    return [f"{name}{{{_labels(desk)}}} {desk.in_flight}"]


def _held(name: str, desk: EndpointDesk) -> list[str]:
    return [f"{name}{{{_labels(desk)}}} {desk.held}"]


def _allocated(name: str, desk: EndpointDesk) -> list[str]:
    return [f"{name}{{{_labels(desk)}}} {desk.pools.placement.allocated}"] if _has_warm_pool(desk) else []


def _utilization(name: str, desk: EndpointDesk) -> list[str]:
    placement = desk.pools.placement
    if not placement.allocated:
        return []
    executing = sum(place.in_use for place in placement.warm)
    return [f"{name}{{{_labels(desk)}}} {executing / placement.allocated:g}"]


def _pods(name: str, desk: EndpointDesk) -> list[str]:
    counts: dict[tuple[str, str], int] = {}
    for pod in desk.pools.serving():
        state = "going" if pod.chosen else "usable" if pod.usable else "starting"
        counts[pod.facts.pool, state] = counts.get((pod.facts.pool, state), 0) + 1
    labels = _labels(desk)
    return [f'{name}{{{labels},pool="{pool}",state="{state}"}} {count}' for (pool, state), count in counts.items()]


def _invocation(name: str, desk: EndpointDesk) -> list[str]:
    return _histogram(name, _labels(desk), desk.counts.invocation)


def _model(name: str, desk: EndpointDesk) -> list[str]:
    return _histogram(name, _labels(desk), desk.counts.model)


def _overhead(name: str, desk: EndpointDesk) -> list[str]:
    return _histogram(name, _labels(desk), desk.counts.overhead)


def _cold(name: str, desk: EndpointDesk) -> list[str]:
    labels = _labels(desk)
    return [line for phase, histogram in desk.counts.cold.items() for line in _histogram(name, f'{labels},phase="{phase}"', histogram)]


def _histogram(name: str, labels: str, histogram: Histogram | None) -> list[str]:
    if histogram is None:
        return []
    lines, total = [], 0
    for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
        total += count
        lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
    return [*lines, f"{name}_sum{{{labels}}} {histogram.total:.6f}", f"{name}_count{{{labels}}} {total}"]


def _has_warm_pool(desk: EndpointDesk) -> bool:
    return desk.pools.route is not None and desk.pools.route.warm_pool is not None


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
