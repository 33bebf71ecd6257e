"""Autoscaling while the metrics process or the controller is stopped.

Sizes stay, changed bounds still apply, status shows what is missing, and a missed scheduled action is applied later.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hack.kubeapi import KubeApi
from tests.e2e.support import pools, rows
from tests.e2e.support.gateway import Load, Response
from tests.e2e.support.journey import Journey
from tests.e2e.support.kubectl import CommandError, Kubectl
from tests.e2e.support.manifests import action, scaling, tracking
from tests.e2e.support.pools import Watched

Json = dict[str, Any]
Scale = Callable[[str, int], None]

POLICY = tracking(0.7, cooldown=0)


@pytest.fixture
def processes(system: Kubectl, api: KubeApi) -> Iterator[Scale]:
    """Sets the number of pods of one of Kindler's processes and waits for that number. Restores 1 after the test."""
    stopped: set[str] = set()

    def scale(component: str, count: int) -> None:
        (stopped.discard if count else stopped.add)(component)
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
    for component in sorted(stopped):
        scale(component, 1)


def ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def reason(journey: Journey, status: str, timeout: float = 150) -> str:
    """Waits with `kubectl wait` until ScalingActive has this status. Returns the condition's reason."""
    journey.kubectl.wait("kep", "echo", f"condition=ScalingActive={status}", timeout)
    return str(rows.condition(journey.endpoint(), "ScalingActive")["reason"])


def test_without_metrics_the_size_stays_and_changed_bounds_apply(journey: Journey, processes: Scale) -> None:
    """Without the metrics process, pools do not scale in, but a raised minimum applies.

    Without the controller, a scheduled action is missed; the next controller applies it. When both processes run again,
    pools scale as before.
    """

    def invoke_and_pause() -> Response:
        response = journey.invoke(body={"sleep": 0.05})
        time.sleep(0.1)  # the load needs only a third of one pod
        return response

    pool = pools.name_of(journey.serving(limit=5, warm=3, scaling=scaling(3, 4, POLICY)))
    with Watched(journey.api, journey.namespace) as watched, Load(1, invoke_and_pause) as load:
        assert reason(journey, "True") == "MetricsAvailable"
        processes("metrics", 0)
        assert reason(journey, "False") == "NoMetrics"
        assert "The size holds" in rows.condition(journey.endpoint(), "ScalingActive")["message"]
        journey.kubectl.patch("kep", "echo", {"spec": scaling(1, 4, POLICY)})
        journey.api.until("horizontalpodautoscalers", journey.namespace, "echo-warm", has_new_minimum_and_no_metric)
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
        # No event shows that the time of the action has passed, because no controller runs.
        time.sleep(max(0.0, (missed - datetime.now(UTC)).total_seconds()))
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
    assert watched.sizes(pool) == [3, 4, 2, 1], "the size must stay at 3 while the HPA has no metric"
    assert pools.not_served_warm(load.responses) == []


def has_new_minimum_and_no_metric(obj: Json | None) -> bool:
    """True if the HPA has its new minimum and cannot read its metric."""
    if obj is None or obj["spec"]["minReplicas"] != 1:
        return False
    known = {c["type"]: c["status"] for c in obj["status"].get("conditions", [])}
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
"""Makes the API server reject a minimum of 0 with the message that it has by default before 1.37."""

PROBE: Json = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "probe"},
    "spec": {
        "minReplicas": 0,
        "maxReplicas": 1,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "no-such-pool"},
        "metrics": [
            {
                "type": "External",
                "external": {"metric": {"name": "none"}, "target": {"type": "AverageValue", "averageValue": "1"}},
            }
        ],
    },
}


@pytest.fixture
def cluster_without_minimum_zero(journey: Journey, processes: Scale) -> Iterator[None]:
    """In the journey's namespace, the API server rejects HPAs with a minimum of 0.

    After the test the controller is restarted, because it remembers until it ends that 0 was rejected.
    """
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
    until_rejected(journey, PROBE)
    yield
    journey.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)
    processes("controller", 0)


def test_the_controller_scales_to_zero_where_hpas_cannot_have_a_minimum_of_zero(
    journey: Journey, cluster_without_minimum_zero: None
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
    assert watched.sizes(pool) == [1, 0, 1], "the controller must scale to zero without load, and up again with load"


def until_rejected(journey: Journey, probe: Json) -> None:
    """Waits until the new admission policy is in effect. This takes seconds, and no event reports it."""
    while True:
        try:
            journey.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(probe))
        except CommandError as refusal:
            assert "spec.minReplicas" in refusal.stderr
            return
        time.sleep(0.3)
