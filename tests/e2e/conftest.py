"""The ground under every journey: one installation by helm for the whole run, one namespace per journey, and a folder of evidence when one fails.

Run inside the cluster's network (`python3 -m hack run pytest tests/e2e`): KUBECONFIG names the cluster, KINDLER_GATEWAY the activator's address.
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.journey)


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
    """kubectl in the namespace of the installed product."""
    yield from installation.installed(api, gateway)


@pytest.fixture(scope="session")
def leftovers(api: KubeApi) -> Iterator[list[str]]:
    """Namespaces whose removal was asked for: all must be gone when the run ends. Removing them one after the other would double the time."""
    names: list[str] = []
    yield names
    api.until_all(
        "namespaces", None, lambda found: not {n["metadata"]["name"] for n in found} & set(names), timeout=180
    )


@pytest.fixture
def journeys(
    request: pytest.FixtureRequest, api: KubeApi, gateway: Gateway, system: Kubectl, leftovers: list[str]
) -> Iterator[Callable[[], Journey]]:
    """Makes journeys, each in a namespace of its own."""
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
        with suppress(ApiError):  # a journey may remove its own
            api.call("DELETE", api.path("namespaces", None, journey.namespace))


@pytest.fixture
def journey(journeys: Callable[[], Journey]) -> Journey:
    return journeys()
