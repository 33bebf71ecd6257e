"""Deletion of an endpoint.

Requests in flight complete, held requests are rejected at once, and a new endpoint of the same name starts without old
state.
"""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import later, together
from tests.e2e.support.journey import LABEL, Journey, owned_by


def test_deletion_completes_requests_in_flight_and_rejects_held_ones(journey: Journey) -> None:
    """One pod runs a request. The second pod starts slowly, so the second request is held until the deletion."""
    journey.serving(environment={"START_SECONDS": "8"}, idle=300, limit=2)
    running = later(lambda: journey.invoke(body={"sleep": 6}))
    journey.until_pods(lambda pods: len(pods) == 1)
    held = later(lambda: journey.invoke(body={"sleep": 0}))
    journey.until_pods(lambda pods: len(pods) == 2)
    journey.kubectl("delete", "kep", "echo")
    rejected, received = held.result(), running.result()
    assert rejected.status == 404, rejected
    assert rejected.done < received.done, "the held request must be rejected before the running one completes"
    assert received.status == 200, received
    journey.until_scaled_to_zero()


def test_a_new_endpoint_of_the_same_name_has_no_old_state(journey: Journey) -> None:
    old = journey.serving(idle=300, limit=1)
    journey.kubectl("delete", "kep", "echo")
    assert journey.invoke().status == 404
    journey.kubectl.apply(manifests.endpoint("echo"))
    new = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert journey.invoke().status == 200
    uid, selector = new["metadata"]["uid"], f"{LABEL}=echo"
    sets = journey.api.until_all(
        "replicasets",
        journey.namespace,
        lambda objects: all(owned_by(each, uid) for each in objects),
        selector=selector,
    )
    assert len(sets) == 1


def test_deleting_a_namespace_deletes_everything_in_it(journey: Journey) -> None:
    journey.serving("one", idle=300)
    journey.serving("two", idle=300, warm=1)
    assert [response.status for response in together(2, lambda n: journey.invoke(("one", "two")[n]))] == [200, 200]
    journey.kubectl("delete", "namespace", journey.namespace, "--wait=false")
    journey.api.until("namespaces", None, journey.namespace, lambda obj: obj is None, timeout=120)
    assert journey.invoke("one").status == 404
