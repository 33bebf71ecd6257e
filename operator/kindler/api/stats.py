"""The body of the activator's `/stats` (peer port): one replica's figures for each endpoint that it serves."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters of one endpoint on one replica since the replica started.

    Counters only grow: the difference of two readings is what happened between them.

    `invocations`: all requests, including rejected ones. `model_errors`: the model responded with 5xx, closed the
    connection, or took too long. `load_seconds`: the integral over time of concurrent executions plus held requests,
    exact at the time of reading. Its difference divided by the time between two readings is the average load. So no
    burst is missed. `provisioned` and `spillover` count invocations by the first backend they were sent to: a pod of
    the warm pool, or a pod of the demand pool while there is a warm pool. `model_seconds` and `overhead_seconds` are
    sums over the `answered` requests. `setup_seconds` is the sum over `cold_starts`.
    """

    load_seconds: float = 0.0
    invocations: int = 0
    client_errors: int = 0
    model_errors: int = 0
    provisioned: int = 0
    spillover: int = 0
    answered: int = 0
    model_seconds: float = 0.0
    overhead_seconds: float = 0.0
    cold_starts: int = 0
    setup_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {_TOTALS[f.name]: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Totals:
        """Reads the counters. Raises KeyError, TypeError or ValueError if they are not valid."""
        numbers: dict[str, Any] = {
            name: (float if name.endswith("seconds") else int)(value[key]) for name, key in _TOTALS.items()
        }
        return cls(**numbers)


_TOTALS = {
    "load_seconds": "loadSeconds",
    "invocations": "invocations",
    "client_errors": "clientErrors",
    "model_errors": "modelErrors",
    "provisioned": "provisioned",
    "spillover": "spillover",
    "answered": "answered",
    "model_seconds": "modelSeconds",
    "overhead_seconds": "overheadSeconds",
    "cold_starts": "coldStarts",
    "setup_seconds": "setupSeconds",
}


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """One endpoint on one activator replica.

    `revision`: new requests go to this revision. `older`: requests still in flight, by older revision. A revision that
    is neither `revision` nor a key of `older` is drained on this replica. `in_flight` includes `older`. `warm` and
    `demand` count the requests that each pool executes now. `allocated`: how many requests all warm pods that serve can
    take together, busy slots included. A warm pod that is too busy to respond to a ping still counts for a while.
    `totals`: None if there is no warm pool.
    """

    uid: str
    owner: bool
    revision: str
    in_flight: int
    held: int
    warm: int
    demand: int
    older: dict[str, int] = field(default_factory=dict)
    allocated: int = 0
    totals: Totals | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "owner": self.owner,
            "revision": self.revision,
            "inFlight": self.in_flight,
            "held": self.held,
            "warm": self.warm,
            "demand": self.demand,
            "older": self.older,
            "allocated": self.allocated,
        } | ({"totals": self.totals.to_json()} if self.totals else {})

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EndpointStats:
        """Reads one entry. Raises KeyError, TypeError or ValueError if it is not valid."""
        return cls(
            uid=str(value["uid"]),
            owner=bool(value["owner"]),
            revision=str(value["revision"]),
            in_flight=int(value["inFlight"]),
            held=int(value["held"]),
            warm=int(value["warm"]),
            demand=int(value["demand"]),
            older={str(k): int(v) for k, v in value["older"].items()},
            allocated=int(value.get("allocated", 0)),
            totals=Totals.from_json(value["totals"]) if "totals" in value else None,
        )


@dataclass(frozen=True, slots=True)
class Stats:
    """One replica's response. `boot` changes when the process restarts.

    Keys of `endpoints`: "namespace/metadata.name".
    """

    boot: str
    endpoints: dict[str, EndpointStats]

    def to_json(self) -> dict[str, Any]:
        return {"boot": self.boot, "endpoints": {k: v.to_json() for k, v in self.endpoints.items()}}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stats:
        """Reads a whole response. Raises KeyError, TypeError or ValueError if it is not valid."""
        return cls(
            boot=str(value["boot"]),
            endpoints={str(k): EndpointStats.from_json(v) for k, v in value["endpoints"].items()},
        )
