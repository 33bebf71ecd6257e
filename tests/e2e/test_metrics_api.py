"""The metrics API as the cluster serves it: who may read it, who may ask its server, whom the API server trusts, and what is left when it goes."""

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


def available(found: Json | None) -> bool:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)


@pytest.fixture(autouse=True)
def served(system: Kubectl, api: KubeApi) -> None:
    """The installation has taken the group, and the API server reaches it."""
    api.until("apiservices", None, SERVICE, available)


def ask(api: KubeApi, namespace: str, user: str) -> int:
    try:
        api.call("GET", f"{EXTERNAL}/namespaces/{namespace}/concurrent-executions", user=user)
    except ApiError as refused:
        return refused.code
    return 200


def test_it_tells_what_there_is_to_read(api: KubeApi) -> None:
    found = api.call("GET", EXTERNAL)
    assert (found["kind"], found["groupVersion"]) == ("APIResourceList", "external.metrics.k8s.io/v1beta1")
    assert {resource["name"] for resource in found["resources"]} == {"concurrent-executions", "customized-metric"}
    assert "external.metrics.k8s.io" in {group["name"] for group in api.call("GET", "/apis")["groups"]}


def test_whoever_scales_may_read_it_and_admins_in_their_namespace_and_nobody_else(
    journey: Journey, api: KubeApi
) -> None:
    account = f"system:serviceaccount:{journey.namespace}:default"
    assert ask(api, journey.namespace, account) == 403
    assert ask(api, journey.namespace, HPAS) == 404, "it may ask; there is no Endpoint with scaling policies"
    for role, code in (("view", 403), ("edit", 403), ("admin", 404)):
        journey.kubectl(
            "create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={journey.namespace}:default"
        )
        assert ask(api, journey.namespace, account) == code
    assert ask(api, "default", account) == 403


def test_its_server_answers_nobody_but_the_api_server(api: KubeApi, system: Kubectl) -> None:
    (pod,) = running(api, "metrics")
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    answered = b""
    # By TLS 1.3 the client is done before the server has looked at what it showed: the refusal comes with the first thing that is read.
    with (
        suppress(ssl.SSLError, ConnectionError),
        socket.create_connection((pod["status"]["podIP"], 6443), timeout=10) as raw,
        anybody.wrap_socket(raw, server_hostname=f"kindler-metrics.{system.namespace}.svc") as connection,
    ):
        connection.sendall(f"GET {EXTERNAL} HTTP/1.1\r\nHost: x\r\nX-Remote-User: {HPAS}\r\n\r\n".encode())
        answered = connection.recv(1000)
    assert answered == b"", "somebody without the front-proxy's certificate"


def test_the_api_server_trusts_the_certificate_of_a_new_pod(api: KubeApi, system: Kubectl) -> None:
    (before,) = (pod["metadata"]["name"] for pod in running(api, "metrics"))
    system("delete", "pod", before, "--wait=false")
    system("rollout", "status", "deployment/kindler-metrics", "--timeout=60s")
    found = api.until_all(
        "pods", system.namespace, lambda pods: len(pods) == 1 and pods[0]["metadata"]["name"] != before, selector=PODS
    )
    published = system.get("configmap", "kindler-metrics")["data"][found[0]["metadata"]["name"]]

    def trusted(service: Json | None) -> bool:
        bundle = base64.b64decode((service or {}).get("spec", {}).get("caBundle", "")).decode()
        return published.strip() in bundle and available(service)

    api.until("apiservices", None, SERVICE, trusted)
    assert api.call("GET", EXTERNAL)["kind"] == "APIResourceList"
    assert "PRIVATE KEY" not in json.dumps(system.get("configmap", "kindler-metrics"))


def test_a_second_installation_takes_the_other_group_and_leaves_nothing(journey: Journey, api: KubeApi) -> None:
    """It serves one namespace, in which there is no Endpoint: the first one serves all."""
    image = ["--set", f"image.tag={images.tag('kindler')}", "--set", f"namespaces={{{journey.namespace}}}"]
    command("helm", "install", "second", CHART, "-n", journey.namespace, *image, "--wait", "--timeout", "120s")
    taken = api.until("apiservices", None, CUSTOM, available)
    assert taken is not None and taken["spec"]["service"] == {
        "namespace": journey.namespace,
        "name": "second-kindler-metrics",
        "port": 443,
    }
    first = api.get("apiservices", None, SERVICE)
    assert available(first) and first is not None and first["spec"]["service"]["name"] == "kindler-metrics"
    found = api.call("GET", "/apis/custom.metrics.k8s.io/v1beta2")
    assert {r["name"] for r in found["resources"]} == {
        f"endpoints.serving.kindler.dev/{m}" for m in ("concurrent-executions", "customized-metric")
    }
    command("helm", "uninstall", "second", "-n", journey.namespace, "--wait", "--timeout", "120s")
    api.until("apiservices", None, CUSTOM, lambda service: service is None)
    api.until_all("pods", journey.namespace, lambda pods: not pods, selector="app.kubernetes.io/instance=second")
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,apiservices"
    # Other journeys call an Endpoint "second", and their namespaces may not be gone yet: only the chart's names and Helm's own Secret count.
    for words in ([kinds], ["all,configmaps,roles,rolebindings,secrets", "-A"]):
        names = command("kubectl", "get", *words, "-o", "name").split()
        assert [name for name in names if "/second-kindler" in name or "/sh.helm.release.v1.second." in name] == []
