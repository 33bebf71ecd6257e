"""The body of the activator's `/stats` (peer port): what one replica knows of each endpoint that it serves."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Totals:
    """What one endpoint has done on one replica since the replica's boot: each only grows, so that two readings tell what happened between them.

    `invocations`: all that came, also those that were refused; `model_errors`: the model answered 5xx, broke off, or took too long.
    `load_seconds`: the integral over time of concurrent executions and held requests, exact at the moment of reading: its difference by the time between is
    their average, and no burst is missed. `provisioned` and `spillover` count invocations by their first place, in the warm and, while there is a warm pool, in
    the demand pool. `answered` requests took `model_seconds` and `overhead_seconds` together; `cold_starts` took `setup_seconds`.
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
        """Raises KeyError, TypeError or ValueError when it is none."""
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

    `revision` is the revision it now places requests on. `older` counts requests still in flight per older revision: a revision that is neither
    `revision` nor a key of `older` has been let go. `in_flight` includes `older`; `warm` and `demand` count requests now executing in each pool.
    `allocated`: requests that the warm pods which stand take together, free or not; one that is too busy to answer a ping stands for a while.
    `totals` only where there is a warm pool.
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
        """Reads one entry; raises KeyError, TypeError or ValueError when it is not one."""
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
    """One replica's answer. `boot` names the process's life; `endpoints` is keyed "namespace/metadata.name"."""

    boot: str
    endpoints: dict[str, EndpointStats]

    def to_json(self) -> dict[str, Any]:
        return {"boot": self.boot, "endpoints": {k: v.to_json() for k, v in self.endpoints.items()}}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stats:
        """Reads a whole answer; raises KeyError, TypeError or ValueError when it is not one."""
        return cls(
            boot=str(value["boot"]),
            endpoints={str(k): EndpointStats.from_json(v) for k, v in value["endpoints"].items()},
        )
