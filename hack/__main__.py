"""python3 -m hack COMMAND"""

from __future__ import annotations

import argparse
import os
import sys

from hack import cluster, lock, paths
from hack.steps import Trouble


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m hack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("up")
    one.add_argument("--nodes", type=int, default=1)
    one.add_argument("--fresh", action="store_true")
    commands.add_parser("down")
    two = commands.add_parser("run")
    two.add_argument("words", nargs=argparse.REMAINDER)
    a = parser.parse_args()
    if a.command == "up":
        with lock.held(paths.NAME, "hack up"):
            cluster.up(nodes=a.nodes, fresh=a.fresh)
    elif a.command == "down":
        with lock.held(paths.NAME, "hack down"):
            cluster.down()
    else:
        cluster.become(a.words[1:] if a.words[:1] == ["--"] else a.words)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(f"✗ {trouble}")
