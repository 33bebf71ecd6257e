"""The directory: which objects are reconciled after a change, and that deleted objects leave nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from kindler.controller.directory import Directory, Key

Json = dict[str, Any]


def raw(name: str, spec: Json, uid: str = "") -> Json:
    return {"metadata": {"name": name, "namespace": "team", "uid": uid or name}, "spec": spec}


def model(name: str = "m", **spec: Any) -> Json:
    return raw(name, spec)


def config(name: str = "c", of: str = "m", **spec: Any) -> Json:
    return raw(name, {"productionVariants": [{"modelName": of}]} | spec)


def endpoint(name: str = "e", of: str = "c", **spec: Any) -> Json:
    return raw(name, {"endpointConfigName": of} | spec)


M, C, E = Key("Model", "team", "m"), Key("EndpointConfig", "team", "c"), Key("Endpoint", "team", "e")


@pytest.fixture
def d() -> Directory:
    """A Model, an EndpointConfig and an Endpoint that refer to each other, and an unrelated Endpoint."""
    directory = Directory()
    for kind, value in (
        ("Model", model()),
        ("EndpointConfig", config()),
        ("Endpoint", endpoint()),
        ("Endpoint", endpoint("unrelated", "elsewhere")),
    ):
        directory.on_event(kind, None, value)
    return directory


def test_everything_that_refers_to_a_changed_object_is_reconciled(d: Directory) -> None:
    assert d.on_event("Model", None, model()) == {M}, "nothing has changed"
    assert d.on_event("Model", model(), None) == {M, E}
    assert d.on_event("Model", None, model()) == {M, E}
    assert d.on_event("EndpointConfig", config(), None) == {C, M, E}
    assert d.on_event("Endpoint", None, endpoint("late")) == {Key("Endpoint", "team", "late")}
    assert d.on_event("EndpointConfig", None, config()) == {C, M, E, Key("Endpoint", "team", "late")}


def test_a_change_of_status_affects_no_other_object(d: Directory) -> None:
    assert d.on_event("Model", None, model() | {"status": {"a": 1}}) == {M}
    assert d.on_event("EndpointConfig", None, config() | {"status": {"a": 1}}) == {C}
    assert d.get(C) == config() | {"status": {"a": 1}}


def test_a_changed_reference_affects_the_old_and_the_new_one(d: Directory) -> None:
    d.on_event("EndpointConfig", None, config("c2"))
    assert d.on_event("Endpoint", endpoint(), endpoint(of="c2")) == {E, C, Key("EndpointConfig", "team", "c2")}
    assert (d.users("EndpointConfig", "team", "c"), d.users("EndpointConfig", "team", "c2")) == (
        frozenset(),
        frozenset({"e"}),
    )


def test_others_that_claim_the_same_name_are_reconciled(d: Directory) -> None:
    assert d.on_event("Endpoint", None, endpoint("other", "x", endpointName="E")) == {
        E,
        Key("Endpoint", "team", "other"),
    }
    assert {o["metadata"]["name"] for o in d.named("Endpoint", "team", "e")} == {"e", "other"}
    assert d.on_event("Endpoint", endpoint(), None) == {E, Key("Endpoint", "team", "other"), C}


def test_names_are_separate_in_each_namespace(d: Directory) -> None:
    elsewhere = model() | {"metadata": {"name": "m", "namespace": "else", "uid": "x"}}
    assert d.on_event("Model", None, elsewhere) == {Key("Model", "else", "m")}
    assert len(d.named("Model", "team", "m")) == 1


def test_deleted_objects_leave_nothing_behind(d: Directory) -> None:
    for kind, value in (
        ("Model", model()),
        ("EndpointConfig", config()),
        ("Endpoint", endpoint()),
        ("Endpoint", endpoint("unrelated", "elsewhere")),
    ):
        d.on_event(kind, value, None)
    assert (d._objects, dict(d._named), dict(d._users)) == ({}, {}, {})
