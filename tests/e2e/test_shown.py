"""What users see: kubectl's columns, explanations and events."""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.journey import Journey


def test_the_columns_of_kubectl_get_show_the_state(journey: Journey) -> None:
    journey.serving(idle=300, warm=1)
    header, row = (line.split() for line in journey.kubectl("get", "kep", "echo").splitlines())
    assert header == ["NAME", "STATUS", "READY", "CONFIG", "WARM", "DEMAND", "MAX", "URL", "AGE"]
    assert row[:4] == ["echo", "InService", "True", "echo"]
    assert row[6:8] == ["5", f"http://echo.{journey.namespace}/invocations"]
    journey.create("broken", image="localhost:5000/ECHO:1")
    journey.reaches("broken", rows.FAILED)
    assert "localhost:5000/ECHO:1" in journey.kubectl("get", "kep", "broken", "-o", "wide")
    listed = journey.kubectl("get", "kindler", "-o", "name").split()
    assert {name.split(".")[0] for name in listed} == {"model", "endpointconfig", "endpoint"}


def test_kubectl_explain_has_a_text_for_every_field(journey: Journey) -> None:
    for path in (
        "kep.spec.endpointConfigName",
        "kmodel.spec.primaryContainer.image",
        "kepc.spec.productionVariants.serverlessConfig.memorySizeInMB",
    ):
        text = journey.kubectl("explain", path)
        assert "<empty>" not in text, text
        assert len(text.split("DESCRIPTION:")[1].strip()) > 20
    assert "<empty>" not in journey.kubectl("explain", "kep.status", "--recursive=false")


def test_events_describe_the_steps_and_there_are_at_most_eight(journey: Journey) -> None:
    journey.serving(idle=1)
    journey.until_scaled_to_zero()
    assert journey.invoke().status == 200
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, idle=1))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    journey.reaches("echo", rows.IN_SERVICE, timeout=90)
    journey.until_scaled_to_zero()
    events = journey.events()
    count = sum(event.get("count", 1) for event in events)
    assert 2 <= count <= 8, [f"{event['reason']}: {event['message']}" for event in events]
    assert all(event["message"] and event["reason"] for event in events)
