"""Finds what a request asks for, and its values: of every policy that is meant, or of none."""

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

LabelSelector = dict[str, frozenset[str]]  # label -> the values that will do

PATIENCE_SECONDS: Final = 2.5
AT_ONCE: Final = 50  # Endpoints: of somebody who asks for a thousand, others shall not notice

_TERM: Final = re.compile(r"\s*([^\s=!(),]+)\s*(?:(?:==?)\s*([^\s=!(),]*)|\s+in\s*\(([^()]*)\))\s*(?:,|$)")


def parse_selector(selector: str) -> LabelSelector:
    """A label selector of equalities and of sets (`a=b,c in (d,e)`), which is what HorizontalPodAutoscalers and people write. Raises Refused."""
    found: LabelSelector = {}
    place = 0
    while place < len(selector):
        term = _TERM.match(selector, place)
        if term is None:
            raise StatusError(
                400,
                f"labelSelector {selector!r} cannot be read: use equalities, as {names.LABEL_ENDPOINT}=NAME,{names.LABEL_POLICY}=POLICY",
            )
        label, equal, among = term.groups()
        values = frozenset([equal] if among is None else (value.strip() for value in among.split(",")))
        found[label] = found.get(label, values) & values
        place = term.end()
    return found


class Values:
    """`clock`: epoch seconds."""

    def __init__(
        self, directory: Directory, sampler: Sampler, foreign: ForeignMetrics, clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._sampler = sampler
        self._foreign = foreign
        self._clock = clock

    async def of(self, namespace: str, metric: str, selector: LabelSelector, name: str = "") -> list[Value]:
        """The values of a metric for all policies that the selector picks, of the Endpoint `name` where that is given.

        Raises Refused: 404 where it picks none, 503 where one has no data: a part of what was asked for would be taken for the whole.
        """
        try:
            return await self._of(namespace, metric, selector, name)
        except NotYetKnown:
            # A HorizontalPodAutoscaler is made when an Endpoint begins to serve, and complains at once: by the next round, activators are known to serve it.
            # Nobody else waits: the API server's few askers have a thousand other Endpoints to ask for.
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._sampler.asked()
        return await self._of(namespace, metric, selector, name)

    async def _of(self, namespace: str, metric: str, selector: LabelSelector, name: str) -> list[Value]:
        if metric not in METRICS:
            raise StatusError(
                404,
                f"Kindler serves {' and '.join(METRICS)} of Endpoints that scale themselves, and no metric {metric!r}",
            )
        if not name and len(selector.get(names.LABEL_ENDPOINT, ())) == 1:
            name = next(iter(selector[names.LABEL_ENDPOINT]))
        meant = [
            pair
            for followed in self._directory.of(namespace, name)
            if (pair := self._meant(followed, metric, selector))[1]
        ]
        if not meant:
            raise self._none(namespace, name, metric, selector)
        found: list[Value] = []
        for at in range(0, len(meant), AT_ONCE):
            told = await asyncio.gather(
                *(self._loads(followed, metric, policies) for followed, policies in meant[at : at + AT_ONCE])
            )
            found += [value for values in told for value in values]
        return found

    def _meant(
        self, followed: ScaledEndpoint, metric: str, selector: LabelSelector
    ) -> tuple[ScaledEndpoint, list[str]]:
        """The names of its policies that read this metric and are picked."""
        picked = [policy.policy_name for policy in followed.policies(metric)]
        return followed, [
            policy
            for policy in picked
            if all(_labels(followed, policy).get(key) in values for key, values in selector.items())
        ]

    async def _loads(self, followed: ScaledEndpoint, metric: str, policies: list[str]) -> list[Value]:
        asked = {name: spec for name, spec in loads.foreign(followed.target).items() if name in policies}
        told = dict(
            zip(
                asked,
                await asyncio.gather(*(self._foreign.value(followed.namespace, spec) for spec in asked.values())),
                strict=True,
            )
        )
        usage = self._sampler.usage(followed.uid, self._clock() - followed.created)
        if isinstance(usage, NoData) and usage.early:
            raise NotYetKnown(f"no data for Endpoint {followed.namespace}/{followed.name}: {usage.reason}")
        seen = loads.loads_of(followed.target, followed.route, usage, told, followed.endpoint)
        values = []
        for policy in policies:
            load = seen[policy]
            if load.value is None:
                raise StatusError(
                    503,
                    f"no data for policy {policy!r} of Endpoint {followed.namespace}/{followed.name}: {load.reason}",
                )
            values.append(Value(followed.namespace, followed.name, metric, _labels(followed, policy), load.value))
        return values

    def _none(self, namespace: str, name: str, metric: str, selector: LabelSelector) -> StatusError:
        missing = self._directory.missing(namespace, name)
        if missing:
            return StatusError(
                503, f"no data: the autoscaling of Endpoint {namespace}/{name} cannot be read: {missing}"
            )
        if missing == "":
            return NotYetKnown(
                f"no data: Endpoint {namespace}/{name} does not serve a variant with scaling policies yet"
            )
        if not name or not self._directory.of(namespace, name):
            return StatusError(
                404, f"namespace {namespace} has no Endpoint{f' {name!r}' * bool(name)} with scaling policies"
            )
        picked = ", ".join(f"{key} in ({', '.join(sorted(values))})" for key, values in selector.items())
        return StatusError(
            404,
            f"Endpoint {namespace}/{name} has no scaling policy that reads {metric}{f' and has {picked}' * bool(picked)}",
        )


def _labels(followed: ScaledEndpoint, policy: str) -> dict[str, str]:
    return {names.LABEL_ENDPOINT: followed.name, names.LABEL_POLICY: names.policy_key(policy)}
