"""The activator's inner port speaks only to those who show the right token."""

from __future__ import annotations

import http.client
from contextlib import closing

from hack.kubeapi import KubeApi
from tests.e2e.support.installation import running
from tests.e2e.support.kubectl import Kubectl


def ask(host: str, token: str | None) -> int:
    with closing(http.client.HTTPConnection(host, 8081, timeout=10)) as connection:
        connection.request("GET", "/stats", headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status


def test_stats_need_a_token_of_the_right_audience(system: Kubectl, api: KubeApi) -> None:
    (pod,) = running(api, "activator")
    host = pod["status"]["podIP"]
    account = pod["spec"]["serviceAccountName"].replace("activator", "controller")
    assert ask(host, None) in (401, 403)
    assert ask(host, "not.a.token") in (401, 403)
    assert ask(host, system("create", "token", account).strip()) in (401, 403), (
        "a token for the API server is not one for us"
    )
    assert ask(host, system("create", "token", "default", "--audience=kindler-peer").strip()) in (401, 403), (
        "somebody else's token"
    )
    assert ask(host, system("create", "token", account, "--audience=kindler-peer").strip()) == 200
