"""The directory: what is looked at when one of the three kinds changes, and that nothing is left of what is gone."""

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
    """A Model, an EndpointConfig and an Endpoint that refer to each other, and a stranger."""
    directory = Directory()
    for kind, value in (
        ("Model", model()),
        ("EndpointConfig", config()),
        ("Endpoint", endpoint()),
        ("Endpoint", endpoint("stranger", "elsewhere")),
    ):
        directory.hear(kind, None, value)
    return directory


def test_everything_that_refers_is_looked_at(d: Directory) -> None:
    assert d.hear("Model", None, model()) == {M}, "nothing has changed"
    assert d.hear("Model", model(), None) == {M, E}
    assert d.hear("Model", None, model()) == {M, E}
    assert d.hear("EndpointConfig", config(), None) == {C, M, E}
    assert d.hear("Endpoint", None, endpoint("late")) == {Key("Endpoint", "team", "late")}
    assert d.hear("EndpointConfig", None, config()) == {C, M, E, Key("Endpoint", "team", "late")}


def test_a_change_of_status_concerns_nobody_else(d: Directory) -> None:
    assert d.hear("Model", None, model() | {"status": {"a": 1}}) == {M}
    assert d.hear("EndpointConfig", None, config() | {"status": {"a": 1}}) == {C}
    assert d.get(C) == config() | {"status": {"a": 1}}


def test_another_reference_is_told_to_both(d: Directory) -> None:
    d.hear("EndpointConfig", None, config("c2"))
    assert d.hear("Endpoint", endpoint(), endpoint(of="c2")) == {E, C, Key("EndpointConfig", "team", "c2")}
    assert (d.users("EndpointConfig", "team", "c"), d.users("EndpointConfig", "team", "c2")) == (
        frozenset(),
        frozenset({"e"}),
    )


def test_whoever_wants_the_same_name_is_looked_at(d: Directory) -> None:
    assert d.hear("Endpoint", None, endpoint("other", "x", endpointName="E")) == {E, Key("Endpoint", "team", "other")}
    assert {o["metadata"]["name"] for o in d.named("Endpoint", "team", "e")} == {"e", "other"}
    assert d.hear("Endpoint", endpoint(), None) == {E, Key("Endpoint", "team", "other"), C}


def test_names_of_other_namespaces_are_other_names(d: Directory) -> None:
    elsewhere = model() | {"metadata": {"name": "m", "namespace": "else", "uid": "x"}}
    assert d.hear("Model", None, elsewhere) == {Key("Model", "else", "m")}
    assert len(d.named("Model", "team", "m")) == 1


def test_nothing_is_left_of_what_is_gone(d: Directory) -> None:
    for kind, value in (
        ("Model", model()),
        ("EndpointConfig", config()),
        ("Endpoint", endpoint()),
        ("Endpoint", endpoint("stranger", "elsewhere")),
    ):
        d.hear(kind, value, None)
    assert (d._objects, dict(d._named), dict(d._users)) == ({}, {}, {})
