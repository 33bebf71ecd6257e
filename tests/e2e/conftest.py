"""Fixtures of all journeys: one installation by Helm for the whole run, and one namespace per journey.

If a journey fails, its logs, events and objects are saved in a folder.

Run inside the cluster's network: `python3 -m hack run pytest tests/e2e`. KUBECONFIG names the cluster, KINDLER_GATEWAY
is the activator's address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from hack.kubeapi import ApiError, KubeApi
from tests.e2e.support import evidence, installation
from tests.e2e.support.gateway import Gateway
from tests.e2e.support.journey import Journey
from tests.e2e.support.kubectl import Kubectl

FAILED = pytest.StashKey[bool]()

# pytest ends a journey that runs longer than this many seconds. The limit is high on purpose: on a machine with 14
# other runnable tasks per core, journeys that take 30 s on an idle machine took more than 120 s.
HANG_SECONDS = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.journey)
        item.add_marker(pytest.mark.timeout(HANG_SECONDS))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    if outcome.get_result().failed:  # type: ignore[attr-defined]
        item.stash[FAILED] = True


@pytest.fixture(scope="session")
def api() -> KubeApi:
    return KubeApi()


@pytest.fixture(scope="session")
def gateway() -> Gateway:
    return Gateway(os.environ["KINDLER_GATEWAY"])


@pytest.fixture(scope="session")
def system(api: KubeApi, gateway: Gateway) -> Iterator[Kubectl]:
    """kubectl in the namespace of the installed Kindler."""
    yield from installation.installed(api, gateway)


@pytest.fixture(scope="session")
def leftovers(api: KubeApi) -> Iterator[list[str]]:
    """Namespaces that are being deleted. The end of the run waits until none is left.

    If each journey waited for the deletion of its own namespace, the run would take twice as long.
    """
    names: list[str] = []
    yield names
    api.until_all(
        "namespaces", None, lambda objects: not {n["metadata"]["name"] for n in objects} & set(names), timeout=180
    )


@pytest.fixture
def journeys(
    request: pytest.FixtureRequest, api: KubeApi, gateway: Gateway, system: Kubectl, leftovers: list[str]
) -> Iterator[Callable[[], Journey]]:
    """Creates journeys, each in a namespace of its own."""
    made: list[Journey] = []
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-")[:40].strip("-")

    def make() -> Journey:
        name = f"{stem}-{os.urandom(2).hex()}"
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "kindler-journey": "true"}
        api.call("POST", api.path("namespaces"), {"metadata": {"name": name, "labels": labels}})
        leftovers.append(name)
        made.append(Journey(name, api, gateway))
        return made[-1]

    yield make
    if request.node.stash.get(FAILED, False):
        folder = evidence.save(request.node.name, system, [journey.kubectl for journey in made])
        request.node.add_report_section("teardown", "evidence", f"logs, events and objects: {folder}")
        print(f"\nlogs, events and objects of the failed journey: {folder}")
    for journey in made:
        with suppress(ApiError):  # a journey may delete its own namespace
            api.call("DELETE", api.path("namespaces", None, journey.namespace))


@pytest.fixture
def journey(journeys: Callable[[], Journey]) -> Journey:
    return journeys()
