"""`python -m kindler <process>`: starts the process that the first argument names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

# Only the chosen process is imported: the activator must not load kopf, and the controller must not load the
# activator's code.
PROCESSES = {
    "controller": "kindler.controller.process",
    "activator": "kindler.activator.process",
    "metrics": "kindler.metrics.process",
}


def main() -> None:
    """Runs the process named by the first argument until it ends, and exits with its status."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in PROCESSES:
        sys.exit(f"kindler: {name!r} is not a process of Kindler: use one of {', '.join(PROCESSES)}")
    run: Callable[[], int] = import_module(PROCESSES[name]).run
    sys.exit(run())


if __name__ == "__main__":
    main()
