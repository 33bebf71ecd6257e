"""Compares the activator with a Go reverse proxy (`make bench-warm`).

Both proxies run on one core; generator of load and model share another core. A pair of runs measures one proxy right
after the other. Prints a table; the last line is the median ratio of requests per second. Absolute figures depend on
the machine and on its other work, so compare ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hack import paths, shell, toolbox
from hack.bench import tools
from hack.steps import CommandError, say

PODS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
CONNECTIONS = (64, 1)
PINNED = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 20
LABELS = {"kindler": "Kindler's activator", "go": "Go reverse proxy"}


@dataclass(frozen=True)
class Run:
    """One run through one proxy. Times in microseconds; `cpu_us`: the proxy's processor time per request."""

    proxy: str
    connections: int
    per_second: float
    cpu_us: float
    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs."""

    pid: int
    port: int


def free_port() -> int:
    """A port that is free on all IPv4 addresses now."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(core: int, *words: str | Path) -> list[str]:
    """The command line that runs a command on one core."""
    cores = sorted(os.sched_getaffinity(0))
    return [sys.executable, "-c", PINNED, str(cores[core % len(cores)]), *map(str, words)]


@contextmanager
def running(command: list[str], port: int) -> Iterator[Proxy]:
    """Runs the command inside the block, which begins when the port accepts connections. Raises CommandError."""
    path = f"{paths.ROOT}:{paths.ROOT / 'operator'}"
    process = shell.start(command, env={**os.environ, "GOMAXPROCS": "1", "PYTHONPATH": path})
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    what = f"{command[-1]} does not listen on port {port}"
                    raise CommandError(f"{what}. Does another process use that port?") from None
                time.sleep(0.05)
        yield Proxy(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(program: Path, name: str, proxy: Proxy, connections: int, seconds: float) -> Run:
    """Measures one run. Raises CommandError if a request got another status than 200."""
    address = f"127.0.0.1:{proxy.port}"
    load = ["load", "-address", address, "-connections", str(connections), "-seconds", str(seconds)]
    before = cpu_seconds(proxy.pid)
    env = {**os.environ, "GOMAXPROCS": "1"}
    done = subprocess.run(pinned(1, program, *load), env=env, capture_output=True, text=True, check=True)
    used = cpu_seconds(proxy.pid) - before
    result = json.loads(done.stdout)
    requests = result["requests"]
    if result["failed"] or not requests:
        raise CommandError(f"{result['failed']} of {requests} requests through {name} failed")
    per_second, cpu_us = requests / result["seconds"], used / requests * 1e6
    return Run(name, connections, per_second, cpu_us, result["p50_us"], result["p99_us"])


def pairs(
    program: Path, proxies: dict[str, Proxy], connections: int, seconds: float, count: int
) -> Iterator[dict[str, Run]]:
    """Pairs of runs: both proxies one right after the other, so that other work on the machine affects both alike.

    Each pair starts with the proxy that was second in the pair before.
    """
    for number in range(count):
        order = list(proxies) if number % 2 else list(reversed(proxies))
        pair = {name: measure(program, name, proxies[name], connections, seconds) for name in order}
        say(f"  {connections:3} connections, pair {number + 1} of {count}: ratio {_ratio(pair):.2f}")
        yield pair


def _ratio(pair: dict[str, Run]) -> float:
    return pair["kindler"].per_second / pair["go"].per_second


def table(found: list[dict[str, Run]], connections: int) -> float:
    """Prints the medians. Returns the median ratio of requests per second."""
    head = f"{connections} connections, 1 KiB requests and responses"
    say(f"\n{head:42}  requests/s   CPU us/request    p50 us    p99 us")
    for proxy, name in LABELS.items():
        runs = [pair[proxy] for pair in found]
        columns = ("per_second", "cpu_us", "p50_us", "p99_us")
        rate, cpu, p50, p99 = (statistics.median(getattr(run, column) for run in runs) for column in columns)
        say(f"  {name:38} {rate:12,.0f} {cpu:16.1f} {p50:9.0f} {p99:9.0f}")
    ratios = sorted(_ratio(pair) for pair in found)
    median = statistics.median(ratios)
    say(f"  ratio of requests/s: median {median:.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f} (pairs: {len(ratios)})")
    return median


def run(program: Path, count: int, seconds: float) -> dict[int, list[dict[str, Run]]]:
    """Starts model and proxies, and measures `count` pairs for each number of connections."""
    model_port, our_port, go_port = free_port(), free_port(), free_port()
    serve = [sys.executable, "-m", "hack.bench.warm.serve", str(our_port), str(model_port), *PODS]
    addresses = ",".join(f"{ip}:{model_port}" for ip in PODS)
    model = pinned(1, program, "model", "-listen", f"0.0.0.0:{model_port}")
    activator = pinned(0, *serve)
    reverse_proxy = pinned(0, program, "proxy", "-listen", f"127.0.0.1:{go_port}", "-pods", addresses)
    with (
        running(model, model_port),
        running(activator, our_port) as kindler,
        running(reverse_proxy, go_port) as go,
    ):
        proxies = {"kindler": kindler, "go": go}
        for name, proxy in proxies.items():
            measure(program, name, proxy, 64, 1)  # fills the caches before the first pair
        return {connections: list(pairs(program, proxies, connections, seconds, count)) for connections in CONNECTIONS}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench-warm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs", type=int, default=5, help="pairs of runs for each number of connections (default: 5)"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each run (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs to this file")
    chosen = parser.parse_args()
    toolbox.ensure(tools.WARM)
    found = run(tools.WARM.path(), chosen.pairs, chosen.seconds)
    if chosen.json:
        runs = [asdict(run) for found_pairs in found.values() for pair in found_pairs for run in pair.values()]
        chosen.json.write_text(json.dumps(runs, indent=1))
    table(found[1], 1)
    say(f"\nratio to Go reverse proxy: {table(found[64], 64):.2f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CommandError as error:
        sys.exit(f"✗ {error}")
