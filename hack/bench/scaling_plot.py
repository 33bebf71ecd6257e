"""The figure of a warm pool that follows its load (tests/e2e/test_autoscaling.py): its metric and its size over time.

.venv/bin/python -m hack.bench.scaling_plot           copies the last run's numbers to docs/figures, and draws them
.venv/bin/python -m hack.bench.scaling_plot --again   draws the numbers in docs/figures again
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from hack.bench import plotting

SOURCE, TARGET = Path(".kindler/figures/autoscaling.json"), Path("docs/figures/autoscaling.json")
LOAD, FILL = "#b93d00", "#c6dbef"


def draw(figures: dict[str, Any], file: Path) -> None:
    """`figures`: `perPod` (requests), `target` (a ratio), and the lists `load` and `sizes` of [seconds, value].

    `load`: the average of executions over a minute, None without data. `sizes`: the number of pods from that second on.
    """
    per_pod, target = figures["perPod"], figures["target"]
    end = max(seconds for seconds, _ in figures["load"])
    sizes = [*((max(0.0, seconds), pods) for seconds, pods in figures["sizes"]), (end, figures["sizes"][-1][1])]
    times = [seconds for seconds, _ in sizes]
    capacity = [per_pod * pods for _, pods in sizes]
    known = [(seconds, value) for seconds, value in figures["load"] if value is not None and seconds >= 0]
    figure, axes = plotting.single(8, 4)
    axes.fill_between(times, [target * units for units in capacity], step="post", color=FILL)
    axes.step(times, capacity, where="post", color=plotting.LOAD)
    axes.plot(*zip(*known, strict=True), color=LOAD)
    _label(axes, times, capacity, known, target, per_pod)
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.12 * max(capacity))
    axes.yaxis.set_major_locator(MultipleLocator(per_pod))
    axes.set_xlabel("time, seconds")
    axes.set_ylabel("concurrent requests")
    axes.set_title("A warm pool follows its load")
    plotting.save(figure, file)


def _label(
    axes: Axes,
    times: list[float],
    capacity: list[float],
    known: list[tuple[float, float]],
    target: float,
    per_pod: int,
) -> None:
    """Writes a label next to each line, at the time when the pool is largest."""
    peak = capacity.index(max(capacity))
    middle = (times[peak] + times[peak + 1]) / 2
    pool = f"provisioned concurrency: {per_pod} × pods"
    axes.annotate(
        pool, (middle, capacity[peak]), xytext=(0, 5), textcoords="offset points", ha="center", color=plotting.LOAD
    )
    goal = f"target: {100 * target:.0f} % of the\nprovisioned concurrency"
    axes.annotate(
        goal, (times[peak], target * capacity[peak]), xytext=(4, 5), textcoords="offset points", color="#3f6f9f"
    )
    low = next(point for point in known if point[0] > middle)
    axes.annotate(
        "executions,\naverage of the last minute",
        low,
        xytext=(0, -34),
        textcoords="offset points",
        ha="center",
        va="center",
        color=LOAD,
        arrowprops={"arrowstyle": "-", "color": LOAD, "linewidth": 0.8},
    )


if __name__ == "__main__":
    if sys.argv[1:] != ["--again"]:
        TARGET.write_bytes(SOURCE.read_bytes())
    draw(json.loads(TARGET.read_text()), TARGET.with_suffix(".svg"))
