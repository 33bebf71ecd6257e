"""An endpoint that is deleted: what is in flight gets its answer, what is held is told at once, and a new one of the same name starts clean."""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import later, together
from tests.e2e.support.journey import LABEL, Journey, owned_by


def test_in_flight_is_answered_and_held_is_told(journey: Journey) -> None:
    """One pod runs a request, the second one that was raised starts too slowly: its request is held when the endpoint goes."""
    journey.serving(environment={"START_SECONDS": "8"}, idle=300, limit=2)
    running = later(lambda: journey.invoke(body={"sleep": 6}))
    journey.until_pods(lambda pods: len(pods) == 1)
    held = later(lambda: journey.invoke(body={"sleep": 0}))
    journey.until_pods(lambda pods: len(pods) == 2)
    journey.kubectl("delete", "kep", "echo")
    told, answered = held.result(), running.result()
    assert told.status == 404, told
    assert told.done < answered.done, "told at once"
    assert answered.status == 200, answered
    journey.asleep()


def test_the_same_name_again_starts_clean(journey: Journey) -> None:
    old = journey.serving(idle=300, limit=1)
    journey.kubectl("delete", "kep", "echo")
    assert journey.invoke().status == 404
    journey.kubectl.apply(manifests.endpoint("echo"))
    new = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert journey.invoke().status == 200
    uid, ours = new["metadata"]["uid"], f"{LABEL}=echo"
    sets = journey.api.until_all(
        "replicasets", journey.namespace, lambda found: all(owned_by(each, uid) for each in found), selector=ours
    )
    assert len(sets) == 1


def test_delete_of_a_namespace_takes_everything(journey: Journey) -> None:
    journey.serving("one", idle=300)
    journey.serving("two", idle=300, warm=1)
    assert [answer.status for answer in together(2, lambda n: journey.invoke(("one", "two")[n]))] == [200, 200]
    journey.kubectl("delete", "namespace", journey.namespace, "--wait=false")
    journey.api.until("namespaces", None, journey.namespace, lambda found: found is None, timeout=120)
    assert journey.invoke("one").status == 404
