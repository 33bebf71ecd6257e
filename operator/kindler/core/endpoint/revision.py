"""What identifies a revision: the fields of Model and EndpointConfig that determine a pod, and their hash.

Limits are not part of a revision. They are in the route, so that a change of limits restarts no pod.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from kindler.api import names
from kindler.api.endpointconfig import ProductionVariant
from kindler.api.model import ModelSpec
from kindler.api.route import Route

HASH_LENGTH: Final = 10

# Fields of PodShape whose JSON key differs from the attribute name. Stored revisions contain these keys, and the hash
# is computed from them. A different key would change the hash of every revision, and an upgrade would restart all pods.
_JSON_KEYS: Final = {
    "invocation_timeout_in_seconds": "invocation_timeout",
    "startup_timeout_in_seconds": "startup_timeout",
}


@dataclass(frozen=True, slots=True)
class PodShape:
    """Everything that determines a pod. `environment` is sorted by name.

    A new field needs a default that means the former behaviour. Then `to_json` omits it, and the hash stays the same.
    """

    image: str
    memory_size_in_mb: int
    invocation_timeout_in_seconds: int = 60
    startup_timeout_in_seconds: int = 180
    environment: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ("serve",)
    port: int = 8080
    health_path: str = "/ping"
    invocations_path: str = "/invocations"
    drain: str = "Connections"
    run_as_user: int = 10001
    run_as_group: int = 0
    read_only_root_filesystem: bool = False
    image_pull_secrets: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields that differ from their defaults, so that a new field does not change the hash of old revisions."""
        return {key: value for key, name, default in _FIELDS if (value := getattr(self, name)) != default}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PodShape:
        """The shape in `value`. Ignores fields of a newer Kindler. Raises TypeError if a required field is missing."""
        known = {key: name for key, name, _ in _FIELDS}
        return cls(**{known[k]: _with_tuples(v) for k, v in value.items() if k in known})

    @classmethod
    def json_keys(cls) -> tuple[str, ...]:
        """The JSON key of each field, in the order of the fields."""
        return tuple(key for key, _, _ in _FIELDS)


# JSON key, name and default of each field of PodShape.
_FIELDS: Final = tuple((_JSON_KEYS.get(f.name, f.name), f.name, f.default) for f in fields(PodShape))


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings of a route that are not part of the PodShape. `provisioned_concurrency`: 0 if there is none."""

    variant_name: str
    max_concurrency: int
    max_concurrency_per_instance: int
    provisioned_concurrency: int
    idle_timeout_in_seconds: int


def pod_shape_of(model: ModelSpec, variant: ProductionVariant) -> PodShape:
    """The shape of the variant's pods. Raises ValueError if the Model has no container."""
    container, serverless = model.container, variant.serverless_config
    security = container.security_context
    return PodShape(
        image=container.image or "",
        memory_size_in_mb=serverless.memory_size_in_mb,
        invocation_timeout_in_seconds=serverless.invocation_timeout_in_seconds,
        startup_timeout_in_seconds=variant.container_startup_health_check_timeout_in_seconds,
        environment=tuple(sorted((container.environment or {}).items())),
        command=tuple(container.command or ()),
        args=tuple(container.args),
        port=container.port,
        health_path=container.health_path,
        invocations_path=container.invocations_path,
        drain=container.drain,
        run_as_user=security.run_as_user,
        run_as_group=security.run_as_group,
        read_only_root_filesystem=security.read_only_root_filesystem,
        image_pull_secrets=tuple(secret.name for secret in model.image_pull_secrets or ()),
    )


def limits_of(variant: ProductionVariant) -> Limits:
    serverless = variant.serverless_config
    return Limits(
        variant_name=variant.variant_name,
        max_concurrency=serverless.max_concurrency,
        max_concurrency_per_instance=serverless.max_concurrency_per_instance,
        provisioned_concurrency=serverless.provisioned_concurrency or 0,
        idle_timeout_in_seconds=serverless.idle_timeout_in_seconds,
    )


def revision_of(shape: PodShape) -> str:
    """The hash of the shape. It does not depend on the names of the Model and the EndpointConfig."""
    text = json.dumps(shape.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def route_of(endpoint: str, shape: PodShape, limits: Limits) -> Route:
    """The route of an Endpoint (its metadata.name) to the revision of `shape`."""
    revision = revision_of(shape)
    return Route(
        variant_name=limits.variant_name,
        revision=revision,
        demand_pool=names.pool_name(endpoint, revision, names.DEMAND),
        warm_pool=names.pool_name(endpoint, revision, names.WARM) if limits.provisioned_concurrency else None,
        max_concurrency=limits.max_concurrency,
        max_concurrency_per_instance=limits.max_concurrency_per_instance,
        provisioned_concurrency=limits.provisioned_concurrency,
        memory_size_in_mb=shape.memory_size_in_mb,
        idle_timeout_in_seconds=limits.idle_timeout_in_seconds,
        invocation_timeout_in_seconds=shape.invocation_timeout_in_seconds,
        startup_timeout_in_seconds=shape.startup_timeout_in_seconds,
        port=shape.port,
        health_path=shape.health_path,
        invocations_path=shape.invocations_path,
    )


def _with_tuples(value: Any) -> Any:
    """The JSON value with tuples instead of lists."""
    return tuple(_with_tuples(v) for v in value) if isinstance(value, list) else value
