"""How a foreign customized metric is read: by a query of Prometheus, or a label selector of an external metrics server.

statistic    of a gauge, over one minute   of a counter (name ends in _total, _count or _sum), in one minute
---------    ---------------------------   ------------------------------------------------------------------
Average      avg(avg_over_time(…[1m]))     avg(increase(…[1m]))
Minimum      min(min_over_time(…[1m]))     min(increase(…[1m]))
Maximum      max(max_over_time(…[1m]))     max(increase(…[1m]))
Sum          sum(avg_over_time(…[1m]))     sum(increase(…[1m]))
SampleCount  sum(count_over_time(…[1m]))   sum(count_over_time(…[1m]))

Sum adds series, not samples, because the number of scrapes has no meaning for a gauge. An external metrics server
computes its own statistic; if it returns several values, they are added. This module also parses and writes quantities.
"""

from __future__ import annotations

import math
import re
from typing import Final

from kindler.api.autoscaling import CustomizedMetricSpecification

_GAUGE: Final = {
    "Average": "avg(avg_over_time({}))",
    "Minimum": "min(min_over_time({}))",
    "Maximum": "max(max_over_time({}))",
    "Sum": "sum(avg_over_time({}))",
    "SampleCount": "sum(count_over_time({}))",
}
_COUNTER: Final = {
    "Average": "avg(increase({}))",
    "Minimum": "min(increase({}))",
    "Maximum": "max(increase({}))",
    "Sum": "sum(increase({}))",
    "SampleCount": "sum(count_over_time({}))",
}
_LABEL: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_KEY: Final = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE: Final = re.compile("([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_METRIC: Final = re.compile("[A-Za-z0-9_:.-]+")


class UnsupportedMetric(ValueError):
    """Prometheus or the external metrics server does not allow the metric's name or one of its dimensions.

    The message names the field and its value, and says what is allowed.
    """


def query(spec: CustomizedMetricSpecification, required: tuple[str, str] | None) -> str:
    """The PromQL query. `required`: a label and its value that every series must have, in addition to the dimensions.

    All text of the user is inside quotes or is a valid label name, so a user cannot make a query read other series.
    Raises UnsupportedMetric if a dimension cannot be a label of Prometheus.
    """
    matchers = [f"__name__={_quote(spec.metric_name)}"]
    for dimension in spec.dimensions or ():
        if not _LABEL.fullmatch(dimension.name) or dimension.name == "__name__":
            raise UnsupportedMetric(
                f"dimension {dimension.name!r} is no label of Prometheus: use letters, digits and _"
            )
        matchers.append(f"{dimension.name}={_quote(dimension.value)}")
    if required is not None:
        matchers.append(f"{required[0]}={_quote(required[1])}")
    forms = _COUNTER if spec.metric_name.endswith(("_total", "_count", "_sum")) else _GAUGE
    return forms[spec.statistic].format("{" + ",".join(matchers) + "}[1m]")


def selector(spec: CustomizedMetricSpecification) -> str:
    """The dimensions as a label selector.

    Raises UnsupportedMetric if a dimension is not a label, or if the metric's name cannot be part of a URL path.
    """
    if not _METRIC.fullmatch(spec.metric_name) or set(spec.metric_name) == {"."}:
        raise UnsupportedMetric(
            f"metricName {spec.metric_name!r} is no name of an external metric: use letters, digits and . _ : -"
        )
    for dimension in spec.dimensions or ():
        if not _KEY.fullmatch(dimension.name) or not _VALUE.fullmatch(dimension.value):
            raise UnsupportedMetric(
                f"dimension {dimension.name}={dimension.value!r} is no label: "
                "an external metrics server is asked by labels of Kubernetes"
            )
    return ",".join(f"{dimension.name}={dimension.value}" for dimension in spec.dimensions or ())


def quantity(text: str) -> float:
    """The number of a Kubernetes quantity: 1500m is 1.5, 1Ki is 1024, 2e3 is 2000. Raises ValueError for other text."""
    match = re.fullmatch(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)", text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity")
    number, exponent, unit = match.groups()
    return float(number + (exponent or "")) * _UNITS[unit or ""]


def milli(value: float) -> str:
    """A number as a quantity in thousandths; HPAs read no finer values. Raises ValueError if it is not finite."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number")
    return f"{round(value * 1000)}m"


_UNITS: Final = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3} | {
    unit: 1000.0 ** (n + 1) for n, unit in enumerate("kMGTPE")
}
_UNITS.update({f"{unit}i": 1024.0 ** (n + 1) for n, unit in enumerate("KMGTPE")})


def _quote(text: str) -> str:
    """A string of PromQL: quotes, backslashes and characters that are not printable are escaped."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else _escape(ord(c)) for c in text) + '"'


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
