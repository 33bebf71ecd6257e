"""One journey: a namespace of its own on the cluster, and the steps that journeys share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hack.kubeapi import KubeApi
from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import Answer, Gateway
from tests.e2e.support.kubectl import Kubectl
from tests.e2e.support.rows import Row

Json = dict[str, Any]

LABEL = "serving.kindler.dev/endpoint"
CHILDREN = ("replicasets", "services", "controllerrevisions", "pods", "horizontalpodautoscalers")


def owned_by(found: Json, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in found["metadata"].get("ownerReferences", []))


def of_endpoint(found: Json, name: str) -> bool:
    """Made by Kindler for the Endpoint of this name, whoever owns it."""
    return (found["metadata"].get("labels") or {}).get(LABEL) == name


def started(pod: Json) -> bool:
    """The kubelet's startupProbe has succeeded."""
    statuses = pod["status"].get("containerStatuses", [])
    return bool(statuses) and all(status.get("started") for status in statuses)


@dataclass
class Journey:
    """`namespace` enforces Pod Security `restricted` and is removed when the test is over."""

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
        """Applies the three manifests under one name; `config` as in manifests.config, `scaling` as made by manifests.scaling."""
        model = manifests.model(name, image=image, environment=environment, drain=drain)
        self.kubectl.apply(model, manifests.config(name, **config), manifests.endpoint(name, **(scaling or {})))

    def serving(self, name: str = "echo", **wanted: Any) -> Json:
        """As `create`, and waits until it is in service."""
        self.create(name, **wanted)
        return self.reaches(name, rows.IN_SERVICE, timeout=180)

    def reaches(self, name: str, row: Row, *, timeout: float = 60, reason: str | None = None) -> Json:
        """Waits as a user does, by `kubectl wait`, then judges the whole row; returns the Endpoint as it then was."""
        self.kubectl.wait("kep", name, f"condition=Ready={row.ready}", timeout)

        def there(found: Json | None) -> bool:
            return rows.seen(found) == row and reason in (None, rows.condition(found, "Ready").get("reason"))

        try:
            found = self.api.until("endpoints", self.namespace, name, there, timeout)
        except TimeoutError as late:
            raise AssertionError(f"wanted {row}, reason {reason}; {late}") from None
        assert found is not None
        return found

    def let_its_second_pass(self, kind: str, name: str) -> None:
        """Whatever is created after this is younger: creationTimestamp counts whole seconds, and within one it is the uid that decides."""
        found = self.api.get(kind, self.namespace, name)
        assert found is not None, f"no {kind} {name}"
        time.sleep(
            max(0.0, datetime.fromisoformat(found["metadata"]["creationTimestamp"]).timestamp() + 1 - time.time())
        )

    def endpoint(self, name: str = "echo") -> Json:
        found = self.api.get("endpoints", self.namespace, name)
        assert found is not None, f"no Endpoint {name}"
        return found

    def invoke(self, name: str = "echo", body: Any = None, **options: Any) -> Answer:
        return self.gateway.invoke(self.namespace, name, body, **options)

    def pods(self, name: str = "echo") -> list[Json]:
        """The endpoint's pods, those on their way out too."""
        return self.api.items("pods", self.namespace, f"{LABEL}={name}")

    def until_pods(
        self, ready: Callable[[list[Json]], bool], name: str | None = "echo", *, timeout: float = 60
    ) -> list[Json]:
        """Waits until the pods of the endpoint, or of all endpoints (None), are as `ready` wants. Other pods of the namespace do not count."""
        return self.api.until_all(
            "pods", self.namespace, ready, selector=LABEL if name is None else f"{LABEL}={name}", timeout=timeout
        )

    def asleep(self, name: str | None = "echo", timeout: float = 90) -> None:
        """Waits until the endpoint, or every endpoint (None), has no pod at all."""
        self.until_pods(lambda pods: not pods, name, timeout=timeout)

    def children(self, uid: str) -> list[str]:
        """Everything in the namespace that the Endpoint with this uid owns, directly."""
        return [
            f"{kind}/{found['metadata']['name']}"
            for kind in CHILDREN
            for found in self.api.items(kind, self.namespace)
            if owned_by(found, uid)
        ]

    def leaves_nothing(self, uid: str, name: str = "echo") -> None:
        """Waits until nothing is left of what Kindler made for the Endpoint with this uid and name."""
        for kind in CHILDREN:
            self.api.until_all(
                kind,
                self.namespace,
                lambda found: not any(owned_by(each, uid) or of_endpoint(each, name) for each in found),
                timeout=30,
            )

    def events(self, name: str = "echo") -> list[Json]:
        """The events that `kubectl describe kep NAME` shows."""
        return [
            e
            for e in self.api.items("events", self.namespace)
            if e["involvedObject"].get("kind") == "Endpoint" and e["involvedObject"].get("name") == name
        ]
