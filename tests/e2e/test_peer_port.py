"""The activator's peer port responds only to requests with the right token."""

from __future__ import annotations

import http.client
from contextlib import closing

from hack.kubeapi import KubeApi
from tests.e2e.support.installation import running
from tests.e2e.support.kubectl import Kubectl


def stats_status(host: str, token: str | None) -> int:
    with closing(http.client.HTTPConnection(host, 8081, timeout=10)) as connection:
        connection.request("GET", "/stats", headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status


def test_stats_need_a_token_of_the_right_audience(system: Kubectl, api: KubeApi) -> None:
    (pod,) = running(api, "activator")
    host = pod["status"]["podIP"]
    account = pod["spec"]["serviceAccountName"].replace("activator", "controller")
    assert stats_status(host, None) in (401, 403)
    assert stats_status(host, "not.a.token") in (401, 403)
    assert stats_status(host, system("create", "token", account).strip()) in (401, 403), (
        "a token for the API server must be rejected"
    )
    assert stats_status(host, system("create", "token", "default", "--audience=kindler-peer").strip()) in (401, 403), (
        "a token of another ServiceAccount must be rejected"
    )
    assert stats_status(host, system("create", "token", account, "--audience=kindler-peer").strip()) == 200
