"""The response bodies of the metrics APIs, in Kubernetes' formats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from kindler.api import names
from kindler.core.autoscaling.metrics.foreign import milli
from kindler.core.autoscaling.metrics.usage import WINDOW
from kindler.metrics.discovery import CUSTOM, EXTERNAL

Json = dict[str, Any]

_REASONS: Final = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 500: "InternalError"}


class StatusError(Exception):
    """An error that becomes a Status response.

    `code`: the HTTP status. `message`: a sentence for a person; the HPA shows it in its conditions.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def body(self) -> Json:
        """The Status object of this error, as JSON."""
        reason = _REASONS.get(self.code, "ServiceUnavailable")
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": reason,
            "code": self.code,
        }


class NotYetKnown(StatusError):
    """503: nothing is known about the Endpoint yet, but the next sample may change that."""

    def __init__(self, message: str) -> None:
        super().__init__(503, message)


@dataclass(frozen=True, slots=True)
class Value:
    """The load of one policy. `labels`: the labels that a selector is compared with."""

    namespace: str
    endpoint: str
    metric: str
    labels: dict[str, str]
    value: float


def external(values: Iterable[Value], timestamp: str) -> Json:
    """An ExternalMetricValueList. `timestamp`: the values' time, in Kubernetes' format."""
    items = [
        {
            "metricName": v.metric,
            "metricLabels": v.labels,
            "timestamp": timestamp,
            "window": int(WINDOW),
            "value": milli(v.value),
        }
        for v in values
    ]
    return {
        "kind": "ExternalMetricValueList",
        "apiVersion": f"{names.EXTERNAL_METRICS}/{EXTERNAL}",
        "metadata": {},
        "items": items,
    }


def custom(values: Iterable[Value], timestamp: str) -> Json:
    """A MetricValueList: the same values, each with the Endpoint that it describes."""
    items = [
        {
            "describedObject": {
                "kind": "Endpoint",
                "namespace": v.namespace,
                "name": v.endpoint,
                "apiVersion": names.API_VERSION,
            },
            "metric": {"name": v.metric, "selector": {"matchLabels": v.labels}},
            "timestamp": timestamp,
            "windowSeconds": int(WINDOW),
            "value": milli(v.value),
        }
        for v in values
    ]
    return {"kind": "MetricValueList", "apiVersion": f"{names.CUSTOM_METRICS}/{CUSTOM}", "metadata": {}, "items": items}
