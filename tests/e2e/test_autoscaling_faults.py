"""When what measures or decides is away: sizes hold, bounds act all the same, status says so, and nothing that was missed is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hack.kubeapi import KubeApi
from tests.e2e.support import pools, rows
from tests.e2e.support.gateway import Answer, Load
from tests.e2e.support.journey import Journey
from tests.e2e.support.kubectl import CommandError, Kubectl
from tests.e2e.support.manifests import action, scaling, tracking
from tests.e2e.support.pools import Watched

Json = dict[str, Any]
Scale = Callable[[str, int], None]

POLICY = tracking(0.7, cooldown=0)


@pytest.fixture
def processes(system: Kubectl, api: KubeApi) -> Iterator[Scale]:
    """Sets how many pods of a component of Kindler's run, and waits until it is so; back to one at the end."""
    away: set[str] = set()

    def scale(component: str, count: int) -> None:
        (away.discard if count else away.add)(component)
        system("scale", "deployment", f"kindler-{component}", f"--replicas={count}")
        selector = f"app.kubernetes.io/component={component}"
        api.until_all(
            "pods",
            system.namespace,
            lambda pods: len(pods) == count and all(map(ready, pods)),
            selector=selector,
            timeout=90,
        )

    yield scale
    for component in sorted(away):
        scale(component, 1)


def ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def reason(journey: Journey, status: str, timeout: float = 150) -> str:
    """Waits for a status of ScalingActive, as a user does; its reason."""
    journey.kubectl.wait("kep", "echo", f"condition=ScalingActive={status}", timeout)
    return str(rows.condition(journey.endpoint(), "ScalingActive")["reason"])


@pytest.mark.timeout(400)  # minutes of average
def test_without_metrics_the_size_holds_and_bounds_act(journey: Journey, processes: Scale) -> None:
    """No metrics process: no scaling in, but a raised minimum acts. No controller: a moment that passes meanwhile is made good. Both back: all as before."""

    def gentle() -> Answer:
        answer = journey.invoke(body={"sleep": 0.05})
        time.sleep(0.1)  # one pod is enough for a third of its time
        return answer

    pool = pools.name_of(journey.serving(limit=5, warm=3, scaling=scaling(3, 4, POLICY)))
    with Watched(journey.api, journey.namespace) as watched, Load(1, gentle) as load:
        assert reason(journey, "True") == "MetricsAvailable"
        processes("metrics", 0)
        assert reason(journey, "False") == "NoMetrics"
        assert "The size holds" in rows.condition(journey.endpoint(), "ScalingActive")["message"]
        journey.kubectl.patch("kep", "echo", {"spec": scaling(1, 4, POLICY)})
        journey.api.until("horizontalpodautoscalers", journey.namespace, "echo-warm", looked)
        journey.kubectl.patch("kep", "echo", {"spec": scaling(4, 4, POLICY)})
        pools.reached(journey, "echo", 4)
        journey.kubectl.patch("kep", "echo", {"spec": scaling(1, 4, POLICY)})
        journey.reaches("echo", rows.IN_SERVICE)

        processes("controller", 0)
        missed = datetime.now(UTC) + timedelta(seconds=2)
        journey.kubectl.patch(
            "kep",
            "echo",
            {"spec": scaling(1, 4, POLICY, actions=(action("missed", f"at({missed:%Y-%m-%dT%H:%M:%S})", high=2),))},
        )
        time.sleep(
            max(0.0, (missed - datetime.now(UTC)).total_seconds())
        )  # nothing tells that a moment has passed which nobody saw
        processes("controller", 1)
        pools.reached(journey, "echo", 2)
        assert (
            journey.reaches("echo", rows.IN_SERVICE)["status"]["autoscaling"][0]["lastScheduledAction"]["name"]
            == "missed"
        )
        assert reason(journey, "False") == "NoMetrics"

        processes("metrics", 1)
        assert reason(journey, "True", 150) == "MetricsAvailable"
        pools.reached(journey, "echo", 1)
    assert watched.sizes(pool) == [3, 4, 2, 1], "held at 3 while nothing was known"
    assert pools.not_fitting(load.answers) == []


def looked(found: Json | None) -> bool:
    """The HPA has seen its new minimum, and has no metric."""
    if found is None or found["spec"]["minReplicas"] != 1:
        return False
    known = {c["type"]: c["status"] for c in found["status"].get("conditions", [])}
    return known.get("ScalingActive") == "False"


OLDER: Json = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "kindler-journey-older-cluster"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["autoscaling"],
                    "apiVersions": ["v2"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["horizontalpodautoscalers"],
                }
            ]
        },
        "validations": [
            {
                "expression": "object.spec.minReplicas > 0",
                "message": "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
            }
        ],
    },
}
"""Makes the API server say what it says by default before 1.37."""

PROBE: Json = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "probe"},
    "spec": {
        "minReplicas": 0,
        "maxReplicas": 1,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "nobody"},
        "metrics": [
            {
                "type": "External",
                "external": {"metric": {"name": "none"}, "target": {"type": "AverageValue", "averageValue": "1"}},
            }
        ],
    },
}


@pytest.fixture
def older_cluster(journey: Journey, processes: Scale) -> Iterator[None]:
    """In the journey's namespace no HPA may have a minimum of 0. Afterwards the controller begins anew: it does not forget what it has learnt."""
    name = OLDER["metadata"]["name"]
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": journey.namespace}}}
    spec = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    journey.kubectl.apply(
        OLDER,
        {
            "apiVersion": OLDER["apiVersion"],
            "kind": f"{OLDER['kind']}Binding",
            "metadata": {"name": name},
            "spec": spec,
        },
    )
    until_refused(journey, PROBE)
    yield
    journey.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)
    processes("controller", 0)


def test_where_no_hpa_may_have_a_minimum_of_zero_the_controller_covers_it(
    journey: Journey, older_cluster: None
) -> None:
    journey.create(limit=3, warm=1, idle=300, scaling=scaling(0, 2, POLICY))
    pool = pools.name_of(journey.reaches("echo", rows.IN_SERVICE))
    with Watched(journey.api, journey.namespace) as watched:
        pools.reached(journey, "echo", 0)
        hpa = journey.api.get("horizontalpodautoscalers", journey.namespace, "echo-warm")
        assert hpa is not None
        assert hpa["spec"]["minReplicas"] == 1
        with Load(1, lambda: journey.invoke(body={"sleep": 0.3})) as load:
            pools.reached(journey, "echo", 1)
        assert load.failed() == []
    assert watched.sizes(pool) == [1, 0, 1], "to zero when nothing asks, and back for load"


def until_refused(journey: Journey, probe: Json) -> None:
    """A new policy takes effect within seconds, and nothing tells when."""
    while True:
        try:
            journey.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(probe))
        except CommandError as refusal:
            assert "spec.minReplicas" in refusal.said
            return
        time.sleep(0.3)
