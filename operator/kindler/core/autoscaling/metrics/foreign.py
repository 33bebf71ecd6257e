"""How somebody else is asked for a customized metric: as a query of Prometheus, or a label selector of an external metrics server. And how numbers are written.

statistic      of a gauge, over one minute    of a counter (its name ends in _total, _count or _sum), in one minute
-----------    ---------------------------    -------------------------------------------------------------------
Average        avg(avg_over_time(…[1m]))      avg(increase(…[1m]))
Minimum        min(min_over_time(…[1m]))      min(increase(…[1m]))
Maximum        max(max_over_time(…[1m]))      max(increase(…[1m]))
Sum            sum(avg_over_time(…[1m]))      sum(increase(…[1m]))
SampleCount    sum(count_over_time(…[1m]))    sum(count_over_time(…[1m]))

Sum adds up series, not samples: how often a gauge was scraped says nothing of it. An external metrics server answers what it answers; several values are added.
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
    """The metric cannot be put into words that the other side understands. The message names field, value and remedy."""


def query(spec: CustomizedMetricSpecification, held: tuple[str, str] | None) -> str:
    """PromQL. `held`: a label and its value that every series must have, whatever the dimensions say. Raises UnsupportedMetric.

    Whatever a user writes stands inside quotes, or is a label by its letters: a query cannot be made to ask for something else.
    """
    matchers = [f"__name__={_quoted(spec.metric_name)}"]
    for dimension in spec.dimensions or ():
        if not _LABEL.fullmatch(dimension.name) or dimension.name == "__name__":
            raise UnsupportedMetric(
                f"dimension {dimension.name!r} is no label of Prometheus: use letters, digits and _"
            )
        matchers.append(f"{dimension.name}={_quoted(dimension.value)}")
    if held is not None:
        matchers.append(f"{held[0]}={_quoted(held[1])}")
    forms = _COUNTER if spec.metric_name.endswith(("_total", "_count", "_sum")) else _GAUGE
    return forms[spec.statistic].format("{" + ",".join(matchers) + "}[1m]")


def selector(spec: CustomizedMetricSpecification) -> str:
    """The dimensions as a label selector, and a check that the metric can be named in a path. Raises UnsupportedMetric."""
    if not _METRIC.fullmatch(spec.metric_name) or set(spec.metric_name) == {"."}:
        raise UnsupportedMetric(
            f"metricName {spec.metric_name!r} is no name of an external metric: use letters, digits and . _ : -"
        )
    for dimension in spec.dimensions or ():
        if not _KEY.fullmatch(dimension.name) or not _VALUE.fullmatch(dimension.value):
            raise UnsupportedMetric(
                f"dimension {dimension.name}={dimension.value!r} is no label: an external metrics server is asked by labels of Kubernetes"
            )
    return ",".join(f"{dimension.name}={dimension.value}" for dimension in spec.dimensions or ())


def quantity(text: str) -> float:
    """The number that a quantity of Kubernetes means: 1500m is 1.5, 1Ki 1024, 2e3 2000. Raises ValueError."""
    found = re.fullmatch(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)", text)
    if found is None:
        raise ValueError(f"{text!r} is no quantity")
    number, exponent, unit = found.groups()
    return float(number + (exponent or "")) * _UNITS[unit or ""]


def milli(value: float) -> str:
    """A number as a quantity in thousandths, which is all that HorizontalPodAutoscalers read. Raises ValueError for what is no number."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number")
    return f"{round(value * 1000)}m"


_UNITS: Final = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3} | {
    unit: 1000.0 ** (n + 1) for n, unit in enumerate("kMGTPE")
}
_UNITS.update({f"{unit}i": 1024.0 ** (n + 1) for n, unit in enumerate("KMGTPE")})


def _quoted(text: str) -> str:
    """A string of PromQL: anything but what is written plainly in it stands as its code point."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else _escaped(ord(c)) for c in text) + '"'


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
