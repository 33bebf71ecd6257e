"""The series of loads, and the settings of the HPA of each series.

Loads are concurrent executions, as Kindler's metrics server reports them. Sizes are pods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Step:
    """The values of the metrics during one step. `loads`: one for each policy, None without data.

    `low`, `high`: the bounds from this step on, if they change.
    """

    loads: tuple[float | None, ...]
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One series of loads, and the settings of its HPA.

    `targets`: targetValue of each policy. `per`: requests per instance. `window`: the scale-in cooldown in seconds of
    the benchmark. `customized`: the loads are values of a customized metric, which the metrics server multiplies by the
    current provisioned concurrency. `tolerance`: the tolerance of the HPA's scale-up; None: the HPA does not set it.
    `differs`: why AWS's rule computes other sizes; empty if it computes the same sizes.
    """

    group: str
    name: str
    steps: tuple[Step, ...]
    start: int = 1
    low: int = 1
    high: int = 20
    targets: tuple[Fraction, ...] = (Fraction(7, 10),)
    per: int = 1
    window: int = 0
    scale_in: bool = True
    scale_out: bool = True
    customized: bool = False
    tolerance: str = ""
    differs: str = ""

    @property
    def key(self) -> str:
        """The name of the case's objects, and its key in docs/figures/hpa.json."""
        return re.sub("[^a-z0-9]+", "-", f"{self.group} {self.name}".lower())

    def bounds(self) -> Iterator[tuple[int, int]]:
        """The bounds (low, high) in force in each step."""
        low, high = self.low, self.high
        for step in self.steps:
            low, high = low if step.low is None else step.low, high if step.high is None else step.high
            yield low, high


def _one(*loads: float | None) -> tuple[Step, ...]:
    return tuple(Step((load,)) for load in loads)


def _several(*rows: tuple[float | None, ...]) -> tuple[Step, ...]:
    return tuple(Step(row) for row in rows)


HALF, FULL = (Fraction(1, 2),), (Fraction(1),)
TWO = (Fraction(7, 10), Fraction(1, 2))

BAND = "the HPA tolerates 10 % above the target; AWS has no tolerance"
IDLE = "in AWS an idle endpoint has no datapoints and keeps its size; in Kindler its load is 0"
NOT_AWS = "AWS's guide requires a minimum of 1"
PACE = "the cooldown was 12 s and each load lasted 8 s: the highest recommendation of the last 12 s counts"

CASES = (
    Case("rounding", "exact multiples", _one(0.7, 1.4, 2.1, 4.2, 6.3)),
    Case("rounding", "just above a multiple", _one(0.8, 1.6, 2.4, 4.8, 7.1)),
    Case("rounding", "target 0.5", _one(0.5, 1, 1.2, 3, 4.1), targets=HALF),
    Case("rounding", "target 1", _one(1, 3, 3.4, 5, 8.9), targets=FULL),
    Case("rounding", "scale-in rounds up too", _one(5.6, 3.5, 3.0, 2.2, 0.8), start=10),
    Case("rounding", "never below the load", _one(2.9, 1.5, 0.75), targets=FULL, start=5),
    Case(
        "rounding",
        "four requests an instance",
        _one(2, 5, 6, 11.3, 2.7),
        per=4,
        high=5,
        differs="a pod is 4 units: the size is a multiple of 4",
    ),
    Case("10 % band", "7 % above, ten units", _one(7.0, 7.5), start=10, differs=BAND),
    Case("10 % band", "at and beyond 10 % above", _one(7.69, 7.8, 9.4), start=10, differs=BAND),
    Case("10 % band", "7 % above, one unit", _one(0.7, 0.75, 0.78), differs=BAND),
    Case("10 % band", "7 % below", _one(7.0, 6.5, 6.31), start=10),
    Case("10 % band", "just beyond 10 % below", _one(6.4, 6.2, 5.6), start=10),
    Case("10 % band", "busier than all that is provisioned", _one(0.9, 1.1, 3.0), targets=(Fraction(95, 100),)),
    Case("10 % band", "with a tolerance of 0 for scale-up", _one(7.0, 7.5, 7.75), start=10, tolerance="0"),
    Case("several policies", "the larger recommendation counts", _several((2.8, 1), (2.8, 3), (4.2, 1)), targets=TWO),
    Case("several policies", "one out, one in", _several((3.5, 2.5), (5.6, 0.5)), targets=TWO, start=5),
    Case(
        "several policies", "in only if both recommend it", _several((5.6, 4), (1.4, 4), (1.4, 2)), targets=TWO, start=8
    ),
    Case("several policies", "three", _several((1, 1, 1), (1, 2, 3), (0.3, 0.2, 0.1)), targets=(*TWO, Fraction(1))),
    Case("no data", "the only metric", _one(2.8, None, None, 1.4), start=2),
    Case(
        "no data",
        "one of two, the other recommends more",
        _several((1.4, 1), (None, 2), (None, 3)),
        targets=TWO,
        start=2,
    ),
    Case(
        "no data",
        "one of two, the other recommends less",
        _several((3.5, 2.5), (None, 0.5), (0.7, 0.5)),
        targets=TWO,
        start=5,
    ),
    Case(
        "no data",
        "a raised minimum applies all the same",
        (Step((1.4,)), Step((None,)), Step((None,), low=4), Step((None,), low=1)),
        start=2,
    ),
    Case("no data", "idle", _one(3.5, 0), start=5, differs=IDLE),
    Case("bounds", "limited by the maximum", _one(2.1, 14, 2.1), high=6, start=3),
    Case("bounds", "limited by the minimum", _one(5.6, 0.3, 1.4), low=3, start=8),
    Case(
        "bounds",
        "raised and lowered by a schedule",
        (Step((1.4,)), Step((1.4,), low=6), Step((1.4,), low=1, high=1), Step((1.4,), high=20)),
        start=2,
    ),
    Case("bounds", "minimum and maximum equal", (Step((9,), low=4, high=4), Step((0.1,)), Step((None,)))),
    Case("zero", "idle to zero and back", _one(1.4, 0, 0.1, 2.8, 0), low=0, start=2, differs=NOT_AWS),
    Case("zero", "a pool of zero below its minimum is not scaled", _one(2.8, 2.8), start=0, differs=NOT_AWS),
    Case("scale-in", "in one go", _one(14, 1.0), start=20),
    Case("scale-in", "after the cooldown", _one(5.6, 1.4, 1.4, 1.4), start=8, window=12, differs=PACE),
    Case(
        "scale-in",
        "the highest recommendation of the cooldown counts",
        _one(5.6, 1.4, 2.8, 1.4, 1.4),
        start=8,
        window=12,
        differs=PACE,
    ),
    Case("scale-in", "disabled or suspended", _one(4.2, 1.0, 5.6), start=6, scale_in=False),
    Case("scale-out", "in one go", _one(0.7, 14)),
    Case("scale-out", "step by step, no cooldown", _one(0.7, 1.4, 2.8, 5.6, 11.2)),
    Case("scale-out", "suspended", _one(2.1, 7.0, 0.7), start=3, scale_out=False),
    Case("customized", "proportional", _one(50, 75, 50), targets=(Fraction(50),), start=4, high=8, customized=True),
    Case("customized", "permanently below the target", _one(20), targets=(Fraction(50),), start=8, customized=True),
    Case(
        "customized",
        "within the band",
        _one(53, 46),
        targets=(Fraction(50),),
        start=10,
        high=11,
        customized=True,
        differs=BAND,
    ),
)
