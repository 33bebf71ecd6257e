"""An index of Models, EndpointConfigs and Endpoints: which objects claim or use a name, and which a change affects.

The time of a lookup does not grow with the number of objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from kindler.clients.cluster import ENDPOINT_CONFIGS, ENDPOINTS, MODELS, Object, Resource
from kindler.core.endpoint.references import sagemaker_name

RESOURCES: Final[dict[str, Resource]] = {kind.kind: kind for kind in (MODELS, ENDPOINT_CONFIGS, ENDPOINTS)}


class Key(NamedTuple):
    """Identifies a Model, an EndpointConfig or an Endpoint. `name` is metadata.name."""

    kind: str
    namespace: str
    name: str


class Name(NamedTuple):
    """A SageMaker name of one kind in one namespace. Several objects may claim the same name."""

    kind: str
    namespace: str
    name: str


class Directory:
    """The objects that the watcher reported to `on_event`. They are shared: never change them."""

    def __init__(self) -> None:
        self._objects: dict[Key, Object] = {}
        self._named: defaultdict[Name, dict[str, Object]] = defaultdict(dict)
        self._users: defaultdict[Name, set[str]] = defaultdict(set)

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key)

    def everything(self) -> Iterable[Key]:
        """The keys of all objects."""
        return tuple(self._objects)

    def named(self, kind: str, namespace: str, name: str) -> tuple[Object, ...]:
        """All objects that claim this SageMaker name."""
        return tuple(self._named.get(Name(kind, namespace, name), {}).values())

    def users(self, kind: str, namespace: str, name: str) -> frozenset[str]:
        """metadata.name of each object that refers to this SageMaker name.

        EndpointConfigs refer to a Model, Endpoints to an EndpointConfig.
        """
        return frozenset(self._users.get(Name(kind, namespace, name), ()))

    def on_event(self, kind: str, old: Object | None, new: Object | None) -> set[Key]:
        """Stores a change. Returns the objects to reconcile: only the object itself if only its status changed."""
        value = new or old
        assert value is not None
        key = Key(kind, str(value["metadata"].get("namespace", "")), str(value["metadata"]["name"]))
        affected = {key}
        before = self._objects.get(key)
        if before is not None:
            self._remove(key, before)
        if new is not None:
            self._put(key, new)
        if before is None or new is None or _identity(before) != _identity(new):
            for version in (before, new):
                if version is not None:
                    affected |= self._affected(key, version)
        return affected

    def _affected(self, key: Key, value: Object) -> set[Key]:
        """The objects that claim the same name as `value`, that `value` refers to, or that refer to `value`.

        Endpoints refer to a Model through an EndpointConfig.
        """
        name = Name(key.kind, key.namespace, sagemaker_name(key.kind, value))
        affected = {Key(key.kind, key.namespace, other) for other in self._named.get(name, ())}
        reference = _reference(key, value)
        if reference:
            affected |= {Key(reference.kind, key.namespace, other) for other in self._named.get(reference, ())}
        configs = {name} if key.kind == "EndpointConfig" else set()
        if key.kind == "Model":
            for config in self._users.get(name, ()):
                if raw := self._objects.get(Key("EndpointConfig", key.namespace, config)):
                    configs.add(Name("EndpointConfig", key.namespace, sagemaker_name("EndpointConfig", raw)))
        return affected | {
            Key("Endpoint", key.namespace, endpoint) for config in configs for endpoint in self._users.get(config, ())
        }

    def _put(self, key: Key, value: Object) -> None:
        self._objects[key] = value
        self._named[Name(key.kind, key.namespace, sagemaker_name(key.kind, value))][key.name] = value
        if reference := _reference(key, value):
            self._users[reference].add(key.name)

    def _remove(self, key: Key, value: Object) -> None:
        del self._objects[key]
        name = Name(key.kind, key.namespace, sagemaker_name(key.kind, value))
        self._named[name].pop(key.name, None)
        if not self._named[name]:
            del self._named[name]
        if reference := _reference(key, value):
            self._users[reference].discard(key.name)
            if not self._users[reference]:
                del self._users[reference]


def _reference(key: Key, value: Object) -> Name | None:
    """The name that the object refers to: an Endpoint to an EndpointConfig, an EndpointConfig to a Model."""
    spec = value.get("spec") or {}
    if key.kind == "Endpoint":
        return Name("EndpointConfig", key.namespace, str(spec.get("endpointConfigName", "")))
    if key.kind == "EndpointConfig":
        variants = spec.get("productionVariants") or [{}]
        return Name("Model", key.namespace, str(variants[0].get("modelName", "")))
    return None


def _identity(value: Object) -> tuple[object, object]:
    """The parts of an object that other objects depend on."""
    return value["metadata"].get("uid"), value.get("spec")
