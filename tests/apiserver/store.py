"""The stored objects, and the effect of each write.

The store does no I/O: the server (server.py), tests and the kubelet call its functions directly.

A stored object is never modified; a write replaces it. So an object that a caller has read does not change.
"""

from __future__ import annotations

import copy
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.apiserver import defaults, ownership
from tests.apiserver.kinds import Kind
from tests.apiserver.objects import (
    FIRST_STATUS,
    Object,
    complete,
    content,
    grace_of,
    merged,
    now,
    preconditions,
    same_type,
    scale_of,
)
from tests.apiserver.refusal import Refused, already_exists, bad_request, expired, invalid, not_found
from tests.apiserver.selectors import Match

Key = tuple[str, str]

_SET_BY_SERVER = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "managedFields",
)


@dataclass(frozen=True, slots=True)
class Change:
    """One step of history. For a new object `old` is None. For a deleted object `new` is its last state."""

    kind: Kind
    version: int
    old: Object | None
    new: Object
    deleted: bool = False

    def seen_through(self, match: Match) -> tuple[str, Object] | None:
        """The event for a watch that selects by `match`. None if the watch gets no event."""
        before = self.old is not None and match(self.old)
        after = not self.deleted and match(self.new)
        if not before and not after:
            return None
        return ("ADDED" if not before else "MODIFIED" if after else "DELETED"), self.new


@dataclass(slots=True)
class _Row:
    value: Object
    owners: ownership.Owners = field(default_factory=dict)


class Store:
    """All objects of all kinds, a counter, and a bounded history."""

    def __init__(self, kinds: list[Kind], history: int = 5000) -> None:
        self.kinds = kinds
        self.version = 1
        self.forgotten = 0  # the history does not contain changes up to this version any more
        self.listeners: list[Callable[[Change], None]] = []
        # The store calls each function with the object before it stores it. The function may raise Refused.
        self.admission: list[Callable[[Kind, Object], None]] = []
        self._rows: dict[Kind, dict[Key, _Row]] = {kind: {} for kind in kinds}
        self._history: deque[Change] = deque()
        self._bound = history

    def kind(self, plural: str, group: str | None = None) -> Kind:
        """The kind with this plural; `group` is needed if two groups have it. Raises KeyError if there is none."""
        for kind in self.kinds:
            if kind.plural == plural and group in (None, kind.group):
                return kind
        raise KeyError(f"{plural} {group or ''}")

    # Reading

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        row = self._rows[kind].get((namespace, name))
        return row.value if row else None

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return self._row(kind, namespace, name).value

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """All objects, sorted by namespace and name like the real server's lists."""
        return [row.value for key, row in sorted(self._rows[kind].items()) if namespace in (None, key[0])]

    def everything(self) -> list[tuple[Kind, Object]]:
        return [(kind, row.value) for kind, rows in self._rows.items() for row in rows.values()]

    def since(self, kind: Kind, version: int) -> list[Change]:
        """Changes of objects of `kind` after `version`. Raises Refused (410) if the history starts later."""
        if version < self.forgotten:
            raise expired(f"{version} ({self.forgotten + 1})")
        return [c for c in self._history if c.kind is kind and c.version > version]

    def compact(self) -> None:
        """Drops all history: a watch from any earlier version gets a 410."""
        self.version += 1
        self.forgotten = self.version
        self._history.clear()

    # Writing

    def create(self, kind: Kind, namespace: str, body: Object, manager: str = "test") -> Object:
        metadata = body.get("metadata") or {}
        name = metadata.get("name") or (
            metadata.get("generateName", "") + uuid.uuid4().hex[:5] if metadata.get("generateName") else ""
        )
        same_type(kind, body)
        if not name:
            raise invalid(kind.kind, "", "metadata.name: Required value: name or generateName is required")
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if metadata.get("resourceVersion"):
            raise Refused(500, "InternalError", "resourceVersion should not be set on objects to be created")
        self._namespace_must_exist(kind, namespace)
        if (namespace, name) in self._rows[kind]:
            raise already_exists(kind.qualified, name)
        return self._make(kind, namespace, name, body, {}, (manager, "Update", ""))

    def update(
        self, kind: Kind, namespace: str, name: str, body: Object, subresource: str = "", manager: str = "test"
    ) -> Object:
        """PUT of the object or of its status."""
        same_type(kind, body)
        metadata = body.get("metadata") or {}
        row = self._row(kind, namespace, name)
        if metadata.get("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata.get('name')}) does not match the name on the URL ({name})"
            )
        if not metadata.get("resourceVersion") and not kind.unconditional:
            raise invalid(
                kind.kind, name, "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            )
        preconditions(kind, row.value, metadata)
        return self._change(kind, row, body, subresource, (manager, "Update", subresource))

    def merge_patch(
        self, kind: Kind, namespace: str, name: str, patch: Object, subresource: str = "", manager: str = "test"
    ) -> Object:
        row = self._row(kind, namespace, name)
        preconditions(kind, row.value, patch.get("metadata") or {})
        return self._change(kind, row, merged(row.value, patch), subresource, (manager, "Update", subresource))

    def apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Object,
        manager: str,
        force: bool = False,
        subresource: str = "",
    ) -> tuple[Object, bool]:
        """Server-side apply. Returns the object, and whether it was created."""
        if not manager:
            raise invalid("PatchOptions", "", "fieldManager: Required value: is required for apply patch")
        if (body.get("apiVersion"), body.get("kind")) != (kind.api_version, kind.kind):
            raise bad_request(f"an apply needs apiVersion and kind: {kind.api_version} {kind.kind}")
        desired = body | {
            "metadata": {k: v for k, v in (body.get("metadata") or {}).items() if k not in _SET_BY_SERVER}
        }
        owner = (manager, "Apply", subresource)
        row = self._rows[kind].get((namespace, name))
        if row is None:
            self._namespace_must_exist(kind, namespace)
            empty = {"metadata": {"name": name} | ({"namespace": namespace} if kind.namespaced else {})}
            new, owners = ownership.applied({}, owner, empty, desired, force)
            return self._make(kind, namespace, name, new, owners, None), True
        preconditions(kind, row.value, body.get("metadata") or {})
        new, owners = ownership.applied(row.owners, owner, row.value, desired, force)
        return self._change(kind, row, new, subresource, None, owners), False

    def scale(self, kind: Kind, namespace: str, name: str, scale: Object, manager: str = "test") -> Object:
        """Writes the replicas of a Scale (from a PUT, or the result of a patch)."""
        row = self._row(kind, namespace, name)
        preconditions(kind, row.value, scale.get("metadata") or {})
        replicas = (scale.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            raise invalid(
                "Scale", name, f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0"
            )
        body = merged(row.value, {"spec": {"replicas": replicas}})
        return scale_of(self._change(kind, row, body, "", (manager, "Update", "scale")))

    def delete(self, kind: Kind, namespace: str, name: str, options: Object | None = None) -> Object:
        """Deletes the object, or marks it as being deleted if it has finalizers or a grace period.

        Returns its last state.
        """
        options = options or {}
        row = self._row(kind, namespace, name)
        preconditions(kind, row.value, options.get("preconditions") or {}, "Precondition failed: ")
        metadata = row.value["metadata"]
        finalizers = list(metadata.get("finalizers", []))
        if options.get("propagationPolicy") == "Foreground" and "foregroundDeletion" not in finalizers:
            finalizers.append("foregroundDeletion")
        grace = grace_of(kind, row.value, options)
        if not finalizers and grace == 0:
            return self._remove(kind, row)
        deleting = {k: v for k, v in metadata.items() if k != "finalizers"} | (
            {"finalizers": finalizers} if finalizers else {}
        )
        if "deletionTimestamp" not in metadata:
            deleting |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": grace}
            if "generation" in metadata:
                deleting["generation"] = metadata["generation"] + 1
        if deleting == metadata:
            return row.value
        return self._store(kind, row, row.value | {"metadata": deleting}, row.owners)

    # Parts of a write

    def _row(self, kind: Kind, namespace: str, name: str) -> _Row:
        row = self._rows[kind].get((namespace, name))
        if row is None:
            raise not_found(kind.qualified, name)
        return row

    def _namespace_must_exist(self, kind: Kind, namespace: str) -> None:
        if kind.namespaced and ("", namespace) not in self._rows[self.kind("namespaces")]:
            raise not_found("namespaces", namespace)

    def _admit(self, kind: Kind, new: Object) -> None:
        complete(kind, new)
        for check in self.admission:
            check(kind, new)

    def _make(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Object,
        owners: ownership.Owners,
        owner: ownership.Manager | None,
    ) -> Object:
        metadata = {k: v for k, v in (body.get("metadata") or {}).items() if k not in _SET_BY_SERVER}
        metadata |= {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
        metadata |= {"namespace": namespace} if kind.namespaced else {}
        metadata |= {"generation": 1} if kind.generation else {}
        new = (
            {"apiVersion": kind.api_version, "kind": kind.kind}
            | copy.deepcopy(body)
            | {"metadata": copy.deepcopy(metadata)}
        )
        if kind.status:
            new.pop("status", None)
            new |= FIRST_STATUS.get(kind.kind, {})
        self._admit(kind, new)
        row = _Row(new)
        self._rows[kind][(namespace, name)] = row
        return self._store(kind, row, new, ownership.updated({}, owner, {}, new) if owner else owners, created=True)

    def _change(
        self,
        kind: Kind,
        row: _Row,
        body: Object,
        subresource: str,
        owner: ownership.Manager | None,
        owners: ownership.Owners | None = None,
    ) -> Object:
        old = row.value
        new = copy.deepcopy(body)
        if subresource == "status":
            new = old | {"status": new.get("status", {})}
        else:
            server_set = {k: old["metadata"][k] for k in _SET_BY_SERVER if k in old["metadata"]} | {
                "name": old["metadata"]["name"]
            }
            server_set |= {"namespace": old["metadata"]["namespace"]} if kind.namespaced else {}
            new["metadata"] = {
                k: v for k, v in (new.get("metadata") or {}).items() if k not in _SET_BY_SERVER
            } | server_set
            new |= {"apiVersion": kind.api_version, "kind": kind.kind}
            if kind.status:
                new.pop("status", None)
                new |= {"status": old["status"]} if "status" in old else {}
        self._admit(kind, new)
        defaults.unchangeable(kind, old, new)
        owners = ownership.updated(row.owners, owner, old, new) if owner else owners or {}
        if new == old and owners == row.owners:
            return old
        if kind.generation and content(new) != content(old):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers") and kind.kind != "Pod":
            return self._remove(kind, row, new)
        return self._store(kind, row, new, owners)

    def _store(self, kind: Kind, row: _Row, new: Object, owners: ownership.Owners, created: bool = False) -> Object:
        self.version += 1
        fields = ownership.rendered(owners, kind.api_version, now())
        metadata = new["metadata"] | {"resourceVersion": str(self.version), "managedFields": fields}
        old, row.value, row.owners = (None if created else row.value), new | {"metadata": metadata}, owners
        self._publish(Change(kind, self.version, old, row.value))
        return row.value

    def _remove(self, kind: Kind, row: _Row, last: Object | None = None) -> Object:
        old, last = row.value, last or row.value
        self.version += 1
        del self._rows[kind][(old["metadata"].get("namespace", ""), old["metadata"]["name"])]
        final = last | {"metadata": last["metadata"] | {"resourceVersion": str(self.version)}}
        self._publish(Change(kind, self.version, old, final, deleted=True))
        return final

    def _publish(self, change: Change) -> None:
        self._history.append(change)
        while len(self._history) > self._bound:
            self.forgotten = self._history.popleft().version
        for listener in list(self.listeners):
            listener(change)
