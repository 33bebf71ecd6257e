"""The values that a request to a metrics API selects: the values of all selected policies, or an error."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kindler.api import names
from kindler.clients.foreign import ForeignMetrics
from kindler.clients.sampler import Sampler
from kindler.core.autoscaling.metrics import loads
from kindler.core.autoscaling.metrics.usage import NoData
from kindler.metrics.directory import Directory, ScaledEndpoint
from kindler.metrics.discovery import METRICS
from kindler.metrics.responses import NotYetKnown, StatusError, Value

LabelSelector = dict[str, frozenset[str]]  # label -> the values that match

WAIT_SECONDS: Final = 2.5  # longest wait for the next sample
BATCH: Final = 50  # Endpoints read at a time: a request for a thousand of them must not delay other requests

_TERM: Final = re.compile(r"\s*([^\s=!(),]+)\s*(?:(?:==?)\s*([^\s=!(),]*)|\s+in\s*\(([^()]*)\))\s*(?:,|$)")


def parse_selector(selector: str) -> LabelSelector:
    """Parses a label selector of equalities and sets, for example `a=b,c in (d,e)`.

    The HPAs that Kindler creates use only equalities. Raises StatusError (400) for any other form.
    """
    labels: LabelSelector = {}
    position = 0
    while position < len(selector):
        term = _TERM.match(selector, position)
        if term is None:
            example = f"{names.LABEL_ENDPOINT}=NAME,{names.LABEL_POLICY}=POLICY"
            raise StatusError(400, f"labelSelector {selector!r} cannot be read: use equalities, as {example}")
        label, equal, among = term.groups()
        values = frozenset([equal] if among is None else (value.strip() for value in among.split(",")))
        labels[label] = labels.get(label, values) & values
        position = term.end()
    return labels


class Values:
    """Reads values of metrics. `clock`: epoch seconds."""

    def __init__(
        self, directory: Directory, sampler: Sampler, foreign: ForeignMetrics, clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._sampler = sampler
        self._foreign = foreign
        self._clock = clock

    async def of(self, namespace: str, metric: str, selector: LabelSelector, name: str = "") -> list[Value]:
        """The values of a metric for all policies that the selector picks. If `name` is given, only of that Endpoint.

        Raises StatusError: 404 if the selector picks no policy, 503 if one of the policies has no data, even if
        others have data. Otherwise the client would get an incomplete list and could not see that values are missing.
        """
        try:
            return await self._of(namespace, metric, selector, name)
        except NotYetKnown:
            # The controller creates the HPA when an Endpoint begins to serve, and the HPA reports missing metrics at
            # once. The activators report the Endpoint in the next sample, so this request waits for it. Other requests
            # do not wait, because the few workers of the HPA controller may have to read a thousand Endpoints.
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._sampler.next_sample()
        return await self._of(namespace, metric, selector, name)

    async def _of(self, namespace: str, metric: str, selector: LabelSelector, name: str) -> list[Value]:
        if metric not in METRICS:
            served = " and ".join(METRICS)
            raise StatusError(
                404, f"Kindler serves {served} of Endpoints that scale themselves, and no metric {metric!r}"
            )
        if not name and len(selector.get(names.LABEL_ENDPOINT, ())) == 1:
            name = next(iter(selector[names.LABEL_ENDPOINT]))
        selected = [
            (endpoint, policies)
            for endpoint in self._directory.of(namespace, name)
            if (policies := _selected_policies(endpoint, metric, selector))
        ]
        if not selected:
            raise self._no_policy(namespace, name, metric, selector)
        values: list[Value] = []
        for start in range(0, len(selected), BATCH):
            batch = selected[start : start + BATCH]
            results = await asyncio.gather(*(self._values(endpoint, metric, names_) for endpoint, names_ in batch))
            values += [value for result in results for value in result]
        return values

    async def _values(self, endpoint: ScaledEndpoint, metric: str, policies: list[str]) -> list[Value]:
        specs = {name: spec for name, spec in loads.foreign(endpoint.target).items() if name in policies}
        read = await asyncio.gather(*(self._foreign.value(endpoint.namespace, spec) for spec in specs.values()))
        foreign_values = dict(zip(specs, read, strict=True))
        usage = self._sampler.usage(endpoint.uid, self._clock() - endpoint.created)
        if isinstance(usage, NoData) and usage.retry_soon:
            raise NotYetKnown(f"no data for Endpoint {endpoint.namespace}/{endpoint.name}: {usage.reason}")
        by_policy = loads.loads_of(endpoint.target, endpoint.route, usage, foreign_values, endpoint.endpoint)
        values = []
        for policy in policies:
            load = by_policy[policy]
            if load.value is None:
                where = f"policy {policy!r} of Endpoint {endpoint.namespace}/{endpoint.name}"
                raise StatusError(503, f"no data for {where}: {load.reason}")
            values.append(Value(endpoint.namespace, endpoint.name, metric, _labels(endpoint, policy), load.value))
        return values

    def _no_policy(self, namespace: str, name: str, metric: str, selector: LabelSelector) -> StatusError:
        """The error for a selector that picks no policy."""
        where, reason = f"Endpoint {namespace}/{name}", self._directory.why_not_scaled(namespace, name)
        if reason:
            return StatusError(503, f"no data: the autoscaling of {where} cannot be read: {reason}")
        if reason == "":
            return NotYetKnown(f"no data: {where} does not serve a variant with scaling policies yet")
        if not name or not self._directory.of(namespace, name):
            which = f" {name!r}" if name else ""
            return StatusError(404, f"namespace {namespace} has no Endpoint{which} with scaling policies")
        picked = ", ".join(f"{key} in ({', '.join(sorted(values))})" for key, values in selector.items())
        having = f" and has {picked}" if picked else ""
        return StatusError(404, f"{where} has no scaling policy that reads {metric}{having}")


def _selected_policies(endpoint: ScaledEndpoint, metric: str, selector: LabelSelector) -> list[str]:
    """The names of the policies that read this metric and that the selector picks."""
    return [
        policy.policy_name
        for policy in endpoint.policies(metric)
        if all(_labels(endpoint, policy.policy_name).get(key) in values for key, values in selector.items())
    ]


def _labels(endpoint: ScaledEndpoint, policy: str) -> dict[str, str]:
    return {names.LABEL_ENDPOINT: endpoint.name, names.LABEL_POLICY: names.policy_key(policy)}
