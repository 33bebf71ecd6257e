"""The commands of the measurements: each prepares what its program needs, then starts the program in `.venv`.

Standard library only, because it runs before the virtual environment exists. `words` are the program's options.
"""

from __future__ import annotations

from collections.abc import Sequence

from hack import cluster, devenv, install, paths, shell
from hack.bench import tools


def coldstart(words: Sequence[str]) -> int:
    return _on_cluster("bench-coldstart", "hack.bench.coldstart", words)


def campaign(words: Sequence[str]) -> int:
    return _on_cluster("campaign", "hack.bench.campaign", words)


def warm(words: Sequence[str]) -> int:
    return _here("hack.bench.warm", words)


def simulate(words: Sequence[str]) -> int:
    return _here("hack.bench.simulate", words)


def _on_cluster(command: str, module: str, words: Sequence[str]) -> int:
    """Runs the module where the cluster can be reached, with Kindler installed. Replaces this process."""
    devenv.ensure()
    install.prepare(command, [tools.coldserver_image()])
    cluster.exec_in_network([str(devenv.PYTHON), "-m", module, *words])
    return 0


def _here(module: str, words: Sequence[str]) -> int:
    devenv.ensure()
    return shell.start([devenv.PYTHON, "-m", module, *words], cwd=paths.ROOT).wait()
