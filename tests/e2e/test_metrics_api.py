"""The metrics API in the cluster.

The tests check who may read the API, who may call its server directly, which certificates the API server trusts, and
that no objects are left after uninstalling.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
from contextlib import suppress
from typing import Any

import pytest

from hack import images
from hack.kubeapi import ApiError, KubeApi
from tests.e2e.support.installation import CHART, running
from tests.e2e.support.journey import Journey
from tests.e2e.support.kubectl import Kubectl, command
from tests.e2e.support.pools import EXTERNAL

Json = dict[str, Any]

SERVICE = "v1beta1.external.metrics.k8s.io"
CUSTOM = "v1beta2.custom.metrics.k8s.io"
HPAS = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
PODS = "app.kubernetes.io/component=metrics"


def available(obj: Json | None) -> bool:
    conditions = (obj or {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)


@pytest.fixture(autouse=True)
def served(system: Kubectl, api: KubeApi) -> None:
    """The installation serves the API group, and the API server can reach it."""
    api.until("apiservices", None, SERVICE, available)


def read_status(api: KubeApi, namespace: str, user: str) -> int:
    try:
        api.call("GET", f"{EXTERNAL}/namespaces/{namespace}/concurrent-executions", user=user)
    except ApiError as rejected:
        return rejected.code
    return 200


def test_the_api_lists_its_metrics(api: KubeApi) -> None:
    obj = api.call("GET", EXTERNAL)
    assert (obj["kind"], obj["groupVersion"]) == ("APIResourceList", "external.metrics.k8s.io/v1beta1")
    assert {resource["name"] for resource in obj["resources"]} == {"concurrent-executions", "customized-metric"}
    assert "external.metrics.k8s.io" in {group["name"] for group in api.call("GET", "/apis")["groups"]}


def test_only_the_hpa_controller_and_admins_of_a_namespace_may_read_it(journey: Journey, api: KubeApi) -> None:
    account = f"system:serviceaccount:{journey.namespace}:default"
    assert read_status(api, journey.namespace, account) == 403
    assert read_status(api, journey.namespace, HPAS) == 404, (
        "the HPA controller may read the API, but no Endpoint has scaling policies"
    )
    for role, code in (("view", 403), ("edit", 403), ("admin", 404)):
        journey.kubectl(
            "create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={journey.namespace}:default"
        )
        assert read_status(api, journey.namespace, account) == code
    assert read_status(api, "default", account) == 403


def test_its_server_responds_only_to_the_api_server(api: KubeApi, system: Kubectl) -> None:
    (pod,) = running(api, "metrics")
    without_certificate = ssl.create_default_context()
    without_certificate.check_hostname, without_certificate.verify_mode = False, ssl.CERT_NONE
    received = b""
    # In TLS 1.3, the client's handshake completes before the server has checked the client's certificate. The client
    # gets the error when it first reads.
    with (
        suppress(ssl.SSLError, ConnectionError),
        socket.create_connection((pod["status"]["podIP"], 6443), timeout=10) as raw,
        without_certificate.wrap_socket(raw, server_hostname=f"kindler-metrics.{system.namespace}.svc") as connection,
    ):
        connection.sendall(f"GET {EXTERNAL} HTTP/1.1\r\nHost: x\r\nX-Remote-User: {HPAS}\r\n\r\n".encode())
        received = connection.recv(1000)
    assert received == b"", "a client without the front-proxy's certificate must get no response"


def test_the_api_server_trusts_the_certificate_of_a_new_pod(api: KubeApi, system: Kubectl) -> None:
    (before,) = (pod["metadata"]["name"] for pod in running(api, "metrics"))
    system("delete", "pod", before, "--wait=false")
    system("rollout", "status", "deployment/kindler-metrics", "--timeout=60s")
    obj = api.until_all(
        "pods", system.namespace, lambda pods: len(pods) == 1 and pods[0]["metadata"]["name"] != before, selector=PODS
    )
    name = obj[0]["metadata"]["name"]
    # The pod exists before it publishes its certificate.
    stored = api.until(
        "configmaps", system.namespace, "kindler-metrics", lambda found: name in (found or {}).get("data", {})
    )
    assert stored is not None
    published = stored["data"][name]

    def trusted(service: Json | None) -> bool:
        bundle = base64.b64decode((service or {}).get("spec", {}).get("caBundle", "")).decode()
        return published.strip() in bundle and available(service)

    api.until("apiservices", None, SERVICE, trusted)
    assert api.call("GET", EXTERNAL)["kind"] == "APIResourceList"
    assert "PRIVATE KEY" not in json.dumps(system.get("configmap", "kindler-metrics"))


def test_a_second_installation_serves_the_other_group_and_leaves_nothing_behind(journey: Journey, api: KubeApi) -> None:
    """The first installation serves all namespaces. So the second one serves a namespace that has no Endpoints."""
    image = ["--set", f"image.tag={images.tag('kindler')}", "--set", f"namespaces={{{journey.namespace}}}"]
    command("helm", "install", "second", CHART, "-n", journey.namespace, *image, "--wait", "--timeout", "120s")
    second = api.until("apiservices", None, CUSTOM, available)
    assert second is not None and second["spec"]["service"] == {
        "namespace": journey.namespace,
        "name": "second-kindler-metrics",
        "port": 443,
    }
    first = api.get("apiservices", None, SERVICE)
    assert available(first) and first is not None and first["spec"]["service"]["name"] == "kindler-metrics"
    obj = api.call("GET", "/apis/custom.metrics.k8s.io/v1beta2")
    assert {r["name"] for r in obj["resources"]} == {
        f"endpoints.serving.kindler.dev/{m}" for m in ("concurrent-executions", "customized-metric")
    }
    command("helm", "uninstall", "second", "-n", journey.namespace, "--wait", "--timeout", "120s")
    api.until("apiservices", None, CUSTOM, lambda service: service is None)
    api.until_all("pods", journey.namespace, lambda pods: not pods, selector="app.kubernetes.io/instance=second")
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,apiservices"
    assert [name for name in command("kubectl", "get", kinds, "-o", "name").split() if "second" in name] == []
    # Other journeys have an Endpoint "second", and their namespaces may still exist. Therefore only names of the chart
    # and Helm's own Secret count among the namespaced kinds.
    names = command("kubectl", "get", "all,configmaps,roles,rolebindings,secrets", "-A", "-o", "name").split()
    assert [name for name in names if "/second-kindler" in name or "/sh.helm.release.v1.second." in name] == []
