"""The figure of the cold start benchmark: for each arm a bar for the median, and below it a dot for each cold start.

.venv/bin/python -m hack.bench.coldstart.plot      draws docs/figures/coldstart.svg from coldstart.json again
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from hack.bench import plotting

FIGURES = Path("docs/figures/coldstart.json")
LABELS = {
    "kindler": "Kindler,\nthrough the activator",
    "service": "Deployment\nand Service",
    "floor": "floor: the pod alone,\nrequested directly",
}
BAR, DOTS, HEIGHT = 0.16, -0.24, 0.34  # offsets from the row's middle, and the bar's height, in rows


def draw(figures: dict[str, Any], file: Path) -> None:
    """`figures` as in coldstart.json."""
    samples: dict[str, list[float]] = figures["samples"]
    figure, axes = plotting.single(7.5, 3.6)
    for row, (arm, values) in enumerate(reversed(samples.items())):
        median = statistics.median(values)
        axes.barh(row + BAR, median, height=HEIGHT, color=plotting.WARM if arm == "kindler" else plotting.OTHER)
        label = f"median {median:,.0f} ms"
        axes.annotate(label, (median, row + BAR), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
        axes.plot(values, [row + DOTS] * len(values), "o", color=plotting.LOAD, markersize=4, alpha=0.45, mew=0)
    axes.set_yticks(range(len(samples)), [LABELS[arm] for arm in reversed(samples)])
    axes.tick_params(axis="y", length=0)
    count = max(len(values) for values in samples.values())
    axes.set_title(f"First request at zero pods: median (bars) and all {count} cold starts (dots)")
    axes.set_xlabel("time until the first response, milliseconds")
    axes.set_xlim(0, 1.08 * max(max(values) for values in samples.values()))
    plotting.save(figure, file)


if __name__ == "__main__":
    draw(json.loads(FIGURES.read_text()), FIGURES.with_suffix(".svg"))
