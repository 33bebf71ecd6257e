"""One candidate for a Lease as a process. It prints `leading` and `lost …`, and releases the Lease on SIGTERM.

Arguments: the identity, and in seconds the duration of the Lease, the renewal time and the pause between attempts.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from kindler.clients.cluster import Cluster
from kindler.clients.lease import Lease, LeaseTimes


async def main(identity: str, *seconds: str) -> int:
    stop_requested = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop_requested.set)
    cluster = Cluster()
    await cluster.connect()
    lease = Lease(cluster, "default", "leader", identity, LeaseTimes(*map(float, seconds)))
    print("candidate", flush=True)
    async with lease.hold() as lost:
        print("leading", flush=True)
        stop = asyncio.create_task(stop_requested.wait())
        await asyncio.wait([lost, stop], return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            print(f"lost {lost.result()}, leading={lease.leading}", flush=True)
        stop.cancel()
    await cluster.close()
    return 3 if lost.done() and not lost.cancelled() else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
