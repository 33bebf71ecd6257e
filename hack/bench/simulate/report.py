"""What comes out: a table to read, figures as JSON, a plot as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from hack.bench.simulate.world import Counts, Sample

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "kindler"  # the same figures give the same file

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

Json = dict[str, Any]

HOUR = 3600.0
WARM, DEMAND, LOAD = "#9ecae1", "#f5a55a", "#08306b"


def figures(counts: Counts) -> Json:
    """The numbers of one arm. Shares of the requests that were served, GB-hours that pods stood."""
    served = counts.warm + counts.spilled
    return {
        "requests": served + counts.throttled,
        "throttled": counts.throttled,
        "spillover": counts.spilled,
        "spilloverShare": round(counts.spilled / served, 4) if served else 0.0,
        "coldStarts": counts.cold,
        "podsStarted": counts.starts,
        "waitP99Seconds": round(_at(counts.waits, 0.99), 2),
        "waitMaxSeconds": round(max(counts.waits, default=0.0), 2),
        "provisionedGBHours": round(counts.warm_gb_seconds / HOUR, 1),
        "demandGBHours": round(counts.demand_gb_seconds / HOUR, 1),
        "busyGBHours": round(counts.busy_gb_seconds / HOUR, 1),
    }


def _at(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


def table(arms: dict[str, Json]) -> str:
    """As Markdown, which a terminal shows as well."""
    head = "| | GB-hours provisioned | on demand | together | spill-over | cold starts | throttled |"
    rows = [head, "|---|---|---|---|---|---|---|"]
    for name, f in arms.items():
        spilled = f"{100 * f['spilloverShare']:.1f} %" if f["provisionedGBHours"] else "–"
        gb = f"{f['provisionedGBHours']:,} | {f['demandGBHours']:,} | {f['provisionedGBHours'] + f['demandGBHours']:,.0f}"
        rows.append(f"| {name} | {gb} | {spilled} | {f['coldStarts']:,} | {f['throttled']:,} |")
    return "\n".join(rows)


def draw(title: str, arms: dict[str, tuple[Json, list[Sample]]], file: Path) -> None:
    """One strip for each arm: its warm pool as an area, demand pods on top of it, the load as a line."""
    figure, strips = pyplot.subplots(
        len(arms), sharex=True, sharey=True, figsize=(9, 0.6 + 1.45 * len(arms)), layout="constrained", squeeze=False
    )
    for axes, (name, (numbers, samples)) in zip(strips[:, 0], arms.items(), strict=True):
        _strip(axes, samples)
        gb = f"{numbers['provisionedGBHours'] + numbers['demandGBHours']:,.0f} GB-hours"
        axes.set_title(f"{name}: {gb}, {numbers['coldStarts']:,} cold starts", loc="left", fontsize=9, pad=3)
    last = strips[-1, 0]
    hours = max(sample.at for _, samples in arms.values() for sample in samples) / HOUR
    last.set_xlim(0, hours)
    last.set_xticks(range(0, round(hours) + 1, max(1, round(hours / 8))))
    last.set_xlabel("hour", fontsize=9)
    handles, labels = last.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    _write(figure, file)
    pyplot.close(figure)


def _strip(axes: Axes, samples: Sequence[Sample]) -> None:
    """In at most 288 pieces (of a day: 5 minutes each): the most pods, the average load."""
    size = max(1, -(-len(samples) // 288))
    pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
    hours = [piece[-1].at / HOUR for piece in pieces]
    warm = [max(sample.warm for sample in piece) for piece in pieces]
    together = [max(sample.warm + sample.demand for sample in piece) for piece in pieces]
    axes.stairs(warm, [0, *hours], fill=True, color=WARM, label="warm pods")
    axes.stairs(together, [0, *hours], baseline=warm, fill=True, color=DEMAND, label="demand pods")
    axes.plot(
        hours,
        [sum(sample.load for sample in piece) / len(piece) for piece in pieces],
        color=LOAD,
        linewidth=0.9,
        label="requests at work",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _write(figure: Figure, file: Path) -> None:
    """SVG with a tenth of a point as the finest step: a third of the size, and nobody sees it."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    file.write_text(
        re.sub(
            r' d="[^"]+"',
            lambda path: re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", path[0]),
            text.getvalue(),
        )
    )
