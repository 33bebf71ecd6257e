"""One journey: a namespace of its own on the cluster, and the steps that several journeys use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hack.kubeapi import KubeApi
from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import Gateway, Response
from tests.e2e.support.kubectl import Kubectl
from tests.e2e.support.rows import Row

Json = dict[str, Any]

LABEL = "serving.kindler.dev/endpoint"
CHILDREN = ("replicasets", "services", "controllerrevisions", "pods", "horizontalpodautoscalers")


def owned_by(obj: Json, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences", []))


def of_endpoint(obj: Json, name: str) -> bool:
    """True if the object has Kindler's label for the Endpoint of this name. The owner references are not checked."""
    return (obj["metadata"].get("labels") or {}).get(LABEL) == name


def started(pod: Json) -> bool:
    """True if the kubelet's startupProbe has succeeded."""
    statuses = pod["status"].get("containerStatuses", [])
    return bool(statuses) and all(status.get("started") for status in statuses)


@dataclass
class Journey:
    """`namespace` enforces Pod Security `restricted`. It is deleted after the test."""

    namespace: str
    api: KubeApi
    gateway: Gateway
    kubectl: Kubectl = field(init=False)

    def __post_init__(self) -> None:
        self.kubectl = Kubectl(self.namespace)

    def create(
        self,
        name: str = "echo",
        *,
        image: str = manifests.ECHO,
        environment: dict[str, str] | None = None,
        drain: str | None = None,
        scaling: Json | None = None,
        **config: Any,
    ) -> None:
        """Applies the three manifests with the same name.

        `config`: arguments of manifests.config. `scaling`: the result of manifests.scaling.
        """
        model = manifests.model(name, image=image, environment=environment, drain=drain)
        self.kubectl.apply(model, manifests.config(name, **config), manifests.endpoint(name, **(scaling or {})))

    def serving(self, name: str = "echo", **options: Any) -> Json:
        """Like `create`, but also waits until the endpoint is in service."""
        self.create(name, **options)
        return self.reaches(name, rows.IN_SERVICE, timeout=180)

    def reaches(self, name: str, row: Row, *, timeout: float = 60, reason: str | None = None) -> Json:
        """Waits until the Endpoint shows this row of the status table. Returns the Endpoint at that time.

        First waits with `kubectl wait`, as a user does.
        """
        self.kubectl.wait("kep", name, f"condition=Ready={row.ready}", timeout)

        def matches(obj: Json | None) -> bool:
            return rows.seen(obj) == row and reason in (None, rows.condition(obj, "Ready").get("reason"))

        try:
            obj = self.api.until("endpoints", self.namespace, name, matches, timeout)
        except TimeoutError as late:
            raise AssertionError(f"expected {row}, reason {reason}; {late}") from None
        assert obj is not None
        return obj

    def wait_for_a_later_timestamp(self, kind: str, name: str) -> None:
        """Waits, so that objects created afterwards have a later creationTimestamp than this one.

        creationTimestamp has whole seconds. If it is equal, Kindler compares uids instead.
        """
        obj = self.api.get(kind, self.namespace, name)
        assert obj is not None, f"no {kind} {name}"
        time.sleep(max(0.0, datetime.fromisoformat(obj["metadata"]["creationTimestamp"]).timestamp() + 1 - time.time()))

    def endpoint(self, name: str = "echo") -> Json:
        obj = self.api.get("endpoints", self.namespace, name)
        assert obj is not None, f"no Endpoint {name}"
        return obj

    def invoke(self, name: str = "echo", body: Any = None, **options: Any) -> Response:
        return self.gateway.invoke(self.namespace, name, body, **options)

    def pods(self, name: str = "echo") -> list[Json]:
        """The endpoint's pods, including those that are being deleted."""
        return self.api.items("pods", self.namespace, f"{LABEL}={name}")

    def until_pods(
        self, ready: Callable[[list[Json]], bool], name: str | None = "echo", *, timeout: float = 60
    ) -> list[Json]:
        """Waits until `ready` is true for the pods of the endpoint, or of all endpoints (None).

        Other pods in the namespace do not count.
        """
        return self.api.until_all(
            "pods", self.namespace, ready, selector=LABEL if name is None else f"{LABEL}={name}", timeout=timeout
        )

    def until_scaled_to_zero(self, name: str | None = "echo", timeout: float = 90) -> None:
        """Waits until the endpoint, or every endpoint (None), has no pods."""
        self.until_pods(lambda pods: not pods, name, timeout=timeout)

    def children(self, uid: str) -> list[str]:
        """All objects in the namespace that the Endpoint with this uid owns directly."""
        return [
            f"{kind}/{obj['metadata']['name']}"
            for kind in CHILDREN
            for obj in self.api.items(kind, self.namespace)
            if owned_by(obj, uid)
        ]

    def until_nothing_is_left(self, uid: str, name: str = "echo") -> None:
        """Waits until all objects are deleted that Kindler created for the Endpoint with this uid and name."""
        for kind in CHILDREN:
            self.api.until_all(
                kind,
                self.namespace,
                lambda objects: not any(owned_by(each, uid) or of_endpoint(each, name) for each in objects),
                timeout=30,
            )

    def events(self, name: str = "echo") -> list[Json]:
        """The events that `kubectl describe kep NAME` shows."""
        return [
            e
            for e in self.api.items("events", self.namespace)
            if e["involvedObject"].get("kind") == "Endpoint" and e["involvedObject"].get("name") == name
        ]
