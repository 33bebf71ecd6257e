"""`status.route`: what activators serve for one Endpoint.

Only the controller writes it. Changing it is the atomic switch of an update.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Route:
    """One serving revision and its limits. Times are whole seconds, as in the EndpointConfig.

    Without provisioned concurrency, `warm_pool` is None and `provisioned_concurrency` is 0.
    """

    variant_name: str
    revision: str
    demand_pool: str
    warm_pool: str | None
    max_concurrency: int
    max_concurrency_per_instance: int
    provisioned_concurrency: int
    memory_size_in_mb: int
    idle_timeout_in_seconds: int
    invocation_timeout_in_seconds: int
    startup_timeout_in_seconds: int
    port: int
    health_path: str
    invocations_path: str

    def to_json(self) -> dict[str, Any]:
        """The object as stored in `status.route`."""
        pools = {"demand": self.demand_pool} | ({"warm": self.warm_pool} if self.warm_pool else {})
        return {
            "variantName": self.variant_name,
            "revision": self.revision,
            "pools": pools,
            "maxConcurrency": self.max_concurrency,
            "maxConcurrencyPerInstance": self.max_concurrency_per_instance,
            "provisionedConcurrency": self.provisioned_concurrency,
            "memorySizeInMB": self.memory_size_in_mb,
            "idleTimeoutInSeconds": self.idle_timeout_in_seconds,
            "invocationTimeoutInSeconds": self.invocation_timeout_in_seconds,
            "startupTimeoutInSeconds": self.startup_timeout_in_seconds,
            "port": self.port,
            "healthPath": self.health_path,
            "invocationsPath": self.invocations_path,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Route:
        """Reads `status.route`. Raises KeyError, TypeError or ValueError if it is not valid."""
        pools = value["pools"]
        return cls(
            variant_name=str(value["variantName"]),
            revision=str(value["revision"]),
            demand_pool=str(pools["demand"]),
            warm_pool=pools.get("warm"),
            max_concurrency=int(value["maxConcurrency"]),
            max_concurrency_per_instance=int(value["maxConcurrencyPerInstance"]),
            provisioned_concurrency=int(value["provisionedConcurrency"]),
            memory_size_in_mb=int(value["memorySizeInMB"]),
            idle_timeout_in_seconds=int(value["idleTimeoutInSeconds"]),
            invocation_timeout_in_seconds=int(value["invocationTimeoutInSeconds"]),
            startup_timeout_in_seconds=int(value["startupTimeoutInSeconds"]),
            port=int(value["port"]),
            health_path=str(value["healthPath"]),
            invocations_path=str(value["invocationsPath"]),
        )
