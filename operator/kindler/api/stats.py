"""The body of the activator's `/stats` (peer port): what one replica knows of each endpoint that it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """One endpoint on one activator replica.

    `revision` is the revision it now places requests on. `older` counts requests still in flight per older revision: a revision that is neither
    `revision` nor a key of `older` has been let go. `in_flight` includes `older`; `warm` and `demand` count requests now executing in each pool.
    """

    uid: str
    owner: bool
    revision: str
    in_flight: int
    held: int
    warm: int
    demand: int
    older: dict[str, int] = field(default_factory=dict)

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
        }

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
        return cls(boot=str(value["boot"]), endpoints={str(k): EndpointStats.from_json(v) for k, v in value["endpoints"].items()})
