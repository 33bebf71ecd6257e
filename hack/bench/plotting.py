"""What all figures have in common: colours, fonts, a background, and SVG files that depend on the numbers alone.

The background is solid white with a margin, so that the dark text can be read in dark viewers too. Not here: what the
figures show (the plot module of each benchmark).
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WARM, DEMAND, LOAD, OTHER = "#9ecae1", "#f5a55a", "#08306b", "#d9d9d9"
TEXT = "#1f2937"
MARGIN = 0.15  # inches
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "kindler",  # the same numbers give the same file
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "axes.titlecolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.labelsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
matplotlib.rcParams.update(SETTINGS)


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes. Sizes in inches."""
    return pyplot.subplots(figsize=(width, height), layout="constrained")


def save(figure: Figure, file: Path) -> None:
    """Writes SVG with coordinates rounded to a tenth of a point. The file is a third as large and looks the same."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", pad_inches=MARGIN, metadata={"Date": None})
    pyplot.close(figure)
    file.write_text(re.sub(r' d="[^"]+"', lambda path: re.sub(r"\d+\.\d+", _rounded, path[0]), text.getvalue()))


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}"
