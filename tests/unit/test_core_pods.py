"""What Kindler reads from a pod's status. Each row is a state of a real pod, and the failure that a user must see."""

from __future__ import annotations

from typing import Any

import pytest

from kindler.core.common import pods
from tests.unit.builders import NOW, pod

UNSCHEDULABLE = {
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}
    ]
}

FAILURES: list[tuple[dict[str, Any], str | None, bool, str]] = [
    # fields of the pod, reason, final, part of the message
    ({}, None, False, ""),
    ({"ready": False}, None, False, ""),
    ({"ready": False, "started": NOW - 179}, None, False, ""),
    ({"ready": False, "started": NOW - 180}, "PingFailing", False, "/ping on port 8080 within 180 s"),
    ({"ready": False, "started": None, "waiting": ("ContainerCreating", "")}, None, False, ""),
    ({"ready": False, "waiting": ("ErrImagePull", "not found")}, "ErrImagePull", False, "not found. Make sure"),
    (
        {"ready": False, "waiting": ("ImagePullBackOff", 'Back-off pulling image "x"')},
        "ImagePullBackOff",
        True,
        "registry.local/iris:1 cannot be pulled",
    ),
    ({"ready": False, "waiting": ("InvalidImageName", "bad")}, "InvalidImageName", True, "not a valid image name"),
    (
        {"ready": False, "waiting": ("CreateContainerConfigError", 'secret "s" not found')},
        "CreateContainerConfigError",
        True,
        'secret "s" not found',
    ),
    ({"ready": False, "ended": ("Error", 1, 2.0), "restarts": 1}, "CrashLoopBackOff", False, "exit code 1"),
    (
        {"ready": False, "waiting": ("CrashLoopBackOff", "back-off 20s"), "ended": ("Error", 3, 2.0), "restarts": 2},
        "CrashLoopBackOff",
        True,
        "exit code 3",
    ),
    ({"ready": False, "ended": ("OOMKilled", 137, 2.0), "restarts": 2}, "OOMKilled", True, "2048Mi"),
    ({"ready": False, "ended": ("StartError", 128, 0.0), "restarts": 2}, "RunContainerError", True, "command and args"),
    ({"ready": False, "ended": ("Error", 137, 181.0), "restarts": 1}, "PingFailing", False, "within 180 s"),
    ({"ready": False, "ended": ("Error", 143, 178.0), "restarts": 2}, "PingFailing", True, "within 180 s"),
    ({"ready": False, "ended": ("Error", 1, 177.0), "restarts": 2}, "CrashLoopBackOff", True, "exit code 1"),
    ({"ready": False, "ended": ("OOMKilled", 137, 999999.0), "restarts": 3}, "OOMKilled", False, "2048Mi"),
    ({"ready": False, "ended": ("Error", 1, 999999.0), "restarts": 3}, "CrashLoopBackOff", False, "exit code 1"),
    ({"ready": True, "ended": ("Error", 1, 2.0), "restarts": 5}, None, False, ""),
    ({"ready": False, "started": None, **UNSCHEDULABLE}, "Unschedulable", False, "0/3 nodes are available. Add nodes"),
    (
        {"ready": False, "started": None, "phase": "Failed", "reason": "Evicted", "message": "low on memory."},
        "PodFailed",
        False,
        "low on memory. Kubernetes",
    ),
    ({"ready": False, "deleting": True, "waiting": ("InvalidImageName", "bad")}, None, False, ""),
]


@pytest.mark.parametrize(("fields", "reason", "final", "words"), FAILURES)
def test_a_failure_names_cause_and_remedy(fields: dict[str, Any], reason: str | None, final: bool, words: str) -> None:
    failure = pods.read(pod(**fields), NOW).failure
    assert (failure.reason if failure else None) == reason
    if failure:
        assert failure.final is final
        assert words in failure.message
        assert failure.message.endswith(".")


def test_a_pod_without_a_status_is_read() -> None:
    facts = pods.read(
        {
            "metadata": {"name": "x", "creationTimestamp": "2027-01-15T08:00:00Z"},
            "spec": {"containers": [{"name": "model"}]},
        },
        NOW,
    )
    assert (facts.ip, facts.scheduled, facts.started, facts.ready, facts.failure, facts.created) == (
        None,
        None,
        None,
        False,
        None,
        NOW,
    )


def test_times_and_labels_of_a_pod() -> None:
    facts = pods.read(pod(), NOW)
    assert (facts.created, facts.scheduled, facts.started, facts.ready, facts.ip) == (
        NOW - 10,
        NOW - 9,
        NOW - 8,
        True,
        "10.0.0.7",
    )
    assert (facts.endpoint, facts.pool, facts.revision, facts.image_id) == (
        "iris",
        "demand",
        "abc",
        "registry.local/iris@sha256:abc",
    )


@pytest.mark.parametrize(("cost", "read"), [("-100", -100), ("many", 0), (None, 0)])
def test_deletion_cost(cost: str | None, read: int) -> None:
    one = pod()
    if cost is not None:
        one["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    assert pods.read(one, NOW).deletion_cost == read


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('pods "x" is forbidden: exceeded quota: q, requested: limits.memory=1Gi', "QuotaExceeded"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "FailedCreate"),
    ],
)
def test_a_pool_that_cannot_create_pods(message: str, reason: str) -> None:
    failure = pods.pool_failure(
        {
            "status": {
                "conditions": [
                    {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
                ]
            }
        }
    )
    assert failure is not None
    assert (failure.reason, failure.final) == (reason, False)
    assert message in failure.message
    assert pods.pool_failure({"status": {}}) is None
