"""Field ownership and server-side apply, as far as Kindler uses them. Pure functions of JSON.

A path is a tuple. Each part is a key of an object, or, for an item of a list with merge keys, a tuple of (key, value)
pairs. Owners are {(manager, "Apply" | "Update", subresource): set of paths}.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.apiserver.refusal import Refused

Path = tuple[Any, ...]
Manager = tuple[str, str, str]
Owners = dict[Manager, frozenset[Path]]

# Field names of lists that are merged by key, with their keys. Every other list is replaced as a whole.
LIST_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_SERVICE_PORTS = ("port", "protocol")
_UNOWNED = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "selfLink",
}


def fields(obj: dict[str, Any]) -> frozenset[Path]:
    """Every path of an object that a manager can own."""
    owned = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    metadata = {k: v for k, v in obj.get("metadata", {}).items() if k not in _UNOWNED}
    return frozenset(path for path, _ in _leaves(owned | ({"metadata": metadata} if metadata else {}), ()) if path)


def updated(owners: Owners, manager: Manager, old: dict[str, Any], new: dict[str, Any]) -> Owners:
    """Owners after a write that is not an apply: only the writer owns changed fields. Removed fields have no owner."""
    before, after = dict(_leaves(old, ())), dict(_leaves(new, ()))
    existing = fields(new)
    changed = frozenset(p for p in existing if p not in before or before[p] != after[p])
    result = {m: (paths - changed) & existing for m, paths in owners.items()}
    result[manager] = result.get(manager, frozenset()) | changed
    return {m: paths for m, paths in result.items() if paths}


def applied(
    owners: Owners, manager: Manager, live: dict[str, Any], desired: dict[str, Any], force: bool
) -> tuple[dict[str, Any], Owners]:
    """The object and its owners after an apply of `desired`.

    Raises Refused (409) without `force`, if another manager owns one of the fields with another value.
    """
    applied_paths = fields(desired)
    new_values, live_values = dict(_leaves(desired, ())), dict(_leaves(live, ()))
    differs = frozenset(p for p in applied_paths if p in live_values and live_values[p] != new_values[p])
    others = {m: paths for m, paths in owners.items() if m != manager}
    taken = {m: paths & differs for m, paths in others.items() if paths & differs}
    if taken and not force:
        conflicts = "; ".join(
            f'conflict with "{m[0]}": {", ".join(sorted(map(_text, paths)))}' for m, paths in taken.items()
        )
        raise Refused(409, "Conflict", f"Apply failed with {sum(map(len, taken.values()))} conflict(s): {conflicts}")
    others = {m: paths - differs for m, paths in others.items()}
    result = _merge(copy.deepcopy(live), desired, "")
    owned_by_any = {path[:n] for path in applied_paths.union(*others.values()) for n in range(1, len(path) + 1)}
    for path in sorted(owners.get(manager, frozenset()) - applied_paths, key=len):
        # Removes the largest enclosing object in which no manager owns a field. So defaults next to the field are
        # also removed.
        unowned = next((path[:n] for n in range(1, len(path) + 1) if path[:n] not in owned_by_any), None)
        if unowned:
            _remove(result, unowned)
    existing = fields(result)
    after = {m: paths & existing for m, paths in others.items()} | {manager: applied_paths}
    return result, {m: paths for m, paths in after.items() if paths}


def rendered(owners: Owners, api_version: str, time: str) -> list[dict[str, Any]]:
    """The owners as `metadata.managedFields`."""
    entries = []
    for (manager, operation, subresource), paths in owners.items():
        tree: dict[str, Any] = {}
        for path in sorted(paths, key=str):
            position = tree
            for part in path:
                position = position.setdefault(f"f:{part}" if isinstance(part, str) else "k:" + _text((part,)), {})
        entry = {
            "manager": manager,
            "operation": operation,
            "apiVersion": api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        entries.append(entry | ({"subresource": subresource} if subresource else {}))
    return entries


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every path that can be owned, with its value.

    These are scalars, empty objects, lists without merge keys, and each item of a list with merge keys (value None).
    """
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value and (keys := _keys(path[-1] if path else "", value)):
        for item in value:
            part = _part(item, keys)
            yield (*path, part), None
            for key, inner in item.items():
                if key not in keys:
                    yield from _leaves(inner, (*path, part, key))
    else:
        yield path, value


def _keys(name: Any, items: list[Any]) -> tuple[str, ...]:
    keys = LIST_KEYS.get(name, ()) if isinstance(name, str) else ()
    if name == "ports" and any("port" in i for i in items if isinstance(i, dict)):
        return _SERVICE_PORTS
    return keys


def _part(item: dict[str, Any], keys: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, item.get(key, "TCP" if key == "protocol" else None)) for key in keys)


def _merge(live: Any, desired: Any, name: str) -> Any:
    if isinstance(live, dict) and isinstance(desired, dict):
        for key, value in desired.items():
            live[key] = _merge(live[key], value, key) if key in live else copy.deepcopy(value)
        return live
    if isinstance(live, list) and isinstance(desired, list) and (keys := _keys(name, desired or live)):
        positions = {_part(item, keys): i for i, item in enumerate(live)}
        for item in desired:
            position = positions.get(_part(item, keys))
            if position is None:
                live.append(copy.deepcopy(item))
            else:
                live[position] = _merge(live[position], item, "")
        return live
    return copy.deepcopy(desired)


def _remove(value: Any, path: Path) -> None:
    """Removes the value at a path, and every enclosing object that becomes empty."""
    head, *rest = path
    if isinstance(head, str):
        if not isinstance(value, dict) or head not in value:
            return
        if rest:
            _remove(value[head], tuple(rest))
        if not rest or value[head] in ({}, []):
            del value[head]
        return
    for i, item in enumerate(value):
        if all(item.get(k, "TCP" if k == "protocol" else None) == v for k, v in head):
            if rest:
                _remove(item, tuple(rest))
            else:
                del value[i]
            return


def _text(path: Path) -> str:
    return "".join(f".{p}" if isinstance(p, str) else "[" + ",".join(f'{k}="{v}"' for k, v in p) + "]" for p in path)
