"""The endpoint that a request names by its host and path: one row per request."""

from __future__ import annotations

import pytest

from kindler.core.dataplane.addresses import Address, NoAddress, Purpose, Style, resolve

SM, PLAIN = Style.SAGEMAKER, Style.PLAIN
INVOKE, PING, WAKE = Purpose.INVOCATION, Purpose.PING, Purpose.WAKE


def parse(line: str, host: str = "activator", namespace: str | None = None) -> Address | NoAddress:
    method, target = line.split(" ", 1)
    header = None if namespace is None else namespace.encode()
    return resolve(method.encode(), target.encode(), host.encode(), header, "home", "cluster.local")


@pytest.mark.parametrize(
    ("line", "host", "header", "expected"),
    [
        ("POST /endpoints/Iris-1/invocations", "activator", None, Address(SM, INVOKE, "home", "Iris-1", False)),
        ("POST /endpoints/iris/invocations", "activator", "team-a", Address(SM, INVOKE, "team-a", "iris", False)),
        ("POST /endpoints/iris/invocations?x=1", "iris.other", None, Address(SM, INVOKE, "home", "iris", False)),
        ("POST /endpoints/a%20b/invocations", "h", None, Address(SM, INVOKE, "home", "a b", False)),
        ("POST /endpoints/a%2Fb/invocations", "h", None, Address(SM, INVOKE, "home", "a/b", False)),
        ("POST /namespaces/team/endpoints/Iris/invocations", "h", None, Address(PLAIN, INVOKE, "team", "Iris", False)),
        (
            "POST /namespaces/team/endpoints/Iris/invocations",
            "h",
            "ignored",
            Address(PLAIN, INVOKE, "team", "Iris", False),
        ),
        ("GET /endpoints/iris/ping", "h", None, Address(SM, PING, "home", "iris", False)),
        ("HEAD /endpoints/iris/ping", "h", None, Address(SM, PING, "home", "iris", False)),
        ("GET /endpoints/iris/ping?wake=true", "h", None, Address(SM, WAKE, "home", "iris", False)),
        ("GET /endpoints/iris/ping?wake=false", "h", None, Address(SM, PING, "home", "iris", False)),
        ("GET /endpoints/iris/ping?a=b&wake=TRUE", "h", None, Address(SM, WAKE, "home", "iris", False)),
        ("GET /namespaces/team/endpoints/iris/ping?wake=1", "h", None, Address(PLAIN, WAKE, "team", "iris", False)),
        ("POST /invocations", "iris.team", None, Address(PLAIN, INVOKE, "team", "iris", True)),
        ("POST /invocations?wake=true", "iris.team", None, Address(PLAIN, INVOKE, "team", "iris", True)),
        ("POST /invocations", "IRIS.Team.svc", None, Address(PLAIN, INVOKE, "team", "iris", True)),
        ("POST /invocations", "iris.team.svc.cluster.local", None, Address(PLAIN, INVOKE, "team", "iris", True)),
        ("POST /invocations", "iris.team.svc.cluster.local.", None, Address(PLAIN, INVOKE, "team", "iris", True)),
        ("POST /invocations", "svc.svc", None, Address(PLAIN, INVOKE, "svc", "svc", True)),
        ("POST /invocations", "svc.svc.svc", None, Address(PLAIN, INVOKE, "svc", "svc", True)),
        ("GET /ping", "iris.team", None, Address(PLAIN, PING, "team", "iris", True)),
        ("GET /ping?wake=true", "iris.team", None, Address(PLAIN, WAKE, "team", "iris", True)),
    ],
)
def test_the_address_of_a_request(line: str, host: str, header: str | None, expected: Address) -> None:
    assert parse(line, host, header) == expected


@pytest.mark.parametrize(
    ("line", "host", "header", "style", "text"),
    [
        ("POST /invocations", "iris", None, PLAIN, "http://iris.{namespace}/invocations"),
        (
            "POST /invocations",
            "iris.team.svc.other.domain",
            None,
            PLAIN,
            "'iris.team.svc.other.domain' is not that of an endpoint",
        ),
        ("POST /invocations", "10.0.0.1", None, PLAIN, "'10.0.0.1' is not that of an endpoint"),
        ("POST /invocations", "", None, PLAIN, "'' is not that of an endpoint"),
        ("POST /invocations", "[::1]", None, PLAIN, "is not that of an endpoint"),
        ("POST /invocations", "iris..svc", None, PLAIN, "is not that of an endpoint"),
        ("POST /invocations", "iris.1", None, PLAIN, "is not that of an endpoint"),
        ("GET /", "iris.team", None, PLAIN, "POST /endpoints/{endpointName}/invocations"),
        ("POST /invocations/", "iris.team", None, PLAIN, "/invocations/ is not the address"),
        ("POST /endpoints//invocations", "h", None, SM, "/endpoints//invocations is not the address"),
        ("POST /endpoints/iris", "h", None, SM, "/endpoints/iris is not the address"),
        ("POST /endpoints/iris/invocations/more", "h", None, SM, "is not the address"),
        ("POST /namespaces/team/endpoints/iris", "h", None, PLAIN, "is not the address"),
        ("GET /endpoints/iris/invocations", "h", None, SM, "GET is not used on /endpoints/iris/invocations: use POST"),
        ("POST /ping", "iris.team", None, PLAIN, "use GET or HEAD"),
        (
            "POST /endpoints/iris/invocations",
            "h",
            "Not_A_Namespace",
            SM,
            "'Not_A_Namespace' is not the name of a namespace",
        ),
        ("POST /endpoints/iris/invocations", "h", "", SM, "'' is not the name of a namespace"),
        ("POST /namespaces/a%2Fb/endpoints/iris/invocations", "h", None, PLAIN, "'a/b' is not the name of a namespace"),
    ],
)
def test_a_request_that_names_no_endpoint_gets_the_reason(
    line: str, host: str, header: str | None, style: Style, text: str
) -> None:
    result = parse(line, host, header)

    assert isinstance(result, NoAddress)
    assert result.style is style
    assert text in result.reason


def test_a_reason_does_not_repeat_a_long_path() -> None:
    result = parse("GET /" + "x" * 5000)

    assert isinstance(result, NoAddress)
    assert len(result.reason) < 500
