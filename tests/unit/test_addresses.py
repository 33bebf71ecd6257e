"""Which endpoint a request names: one row a request."""

from __future__ import annotations

import pytest

from kindler.core.dataplane.addresses import Address, NoAddress, Purpose, Style, resolve

SM, PLAIN = Style.SAGEMAKER, Style.PLAIN
CALL, PING, WAKE = Purpose.INVOCATION, Purpose.PING, Purpose.WAKE


def ask(line: str, host: str = "activator", namespace: str | None = None) -> Address | NoAddress:
    method, target = line.split(" ", 1)
    header = None if namespace is None else namespace.encode()
    return resolve(method.encode(), target.encode(), host.encode(), header, "home", "cluster.local")


@pytest.mark.parametrize(
    ("line", "host", "header", "wanted"),
    [
        ("POST /endpoints/Iris-1/invocations", "activator", None, Address(SM, CALL, "home", "Iris-1", False)),
        ("POST /endpoints/iris/invocations", "activator", "team-a", Address(SM, CALL, "team-a", "iris", False)),
        ("POST /endpoints/iris/invocations?x=1", "iris.other", None, Address(SM, CALL, "home", "iris", False)),
        ("POST /endpoints/a%20b/invocations", "h", None, Address(SM, CALL, "home", "a b", False)),
        ("POST /endpoints/a%2Fb/invocations", "h", None, Address(SM, CALL, "home", "a/b", False)),
        ("POST /namespaces/team/endpoints/Iris/invocations", "h", None, Address(PLAIN, CALL, "team", "Iris", False)),
        (
            "POST /namespaces/team/endpoints/Iris/invocations",
            "h",
            "ignored",
            Address(PLAIN, CALL, "team", "Iris", False),
        ),
        ("GET /endpoints/iris/ping", "h", None, Address(SM, PING, "home", "iris", False)),
        ("HEAD /endpoints/iris/ping", "h", None, Address(SM, PING, "home", "iris", False)),
        ("GET /endpoints/iris/ping?wake=true", "h", None, Address(SM, WAKE, "home", "iris", False)),
        ("GET /endpoints/iris/ping?wake=false", "h", None, Address(SM, PING, "home", "iris", False)),
        ("GET /endpoints/iris/ping?a=b&wake=TRUE", "h", None, Address(SM, WAKE, "home", "iris", False)),
        ("GET /namespaces/team/endpoints/iris/ping?wake=1", "h", None, Address(PLAIN, WAKE, "team", "iris", False)),
        ("POST /invocations", "iris.team", None, Address(PLAIN, CALL, "team", "iris", True)),
        ("POST /invocations?wake=true", "iris.team", None, Address(PLAIN, CALL, "team", "iris", True)),
        ("POST /invocations", "IRIS.Team.svc", None, Address(PLAIN, CALL, "team", "iris", True)),
        ("POST /invocations", "iris.team.svc.cluster.local", None, Address(PLAIN, CALL, "team", "iris", True)),
        ("POST /invocations", "iris.team.svc.cluster.local.", None, Address(PLAIN, CALL, "team", "iris", True)),
        ("POST /invocations", "svc.svc", None, Address(PLAIN, CALL, "svc", "svc", True)),
        ("POST /invocations", "svc.svc.svc", None, Address(PLAIN, CALL, "svc", "svc", True)),
        ("GET /ping", "iris.team", None, Address(PLAIN, PING, "team", "iris", True)),
        ("GET /ping?wake=true", "iris.team", None, Address(PLAIN, WAKE, "team", "iris", True)),
    ],
)
def test_what_is_named(line: str, host: str, header: str | None, wanted: Address) -> None:
    assert ask(line, host, header) == wanted


@pytest.mark.parametrize(
    ("line", "host", "header", "style", "words"),
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
        ("POST /invocations/", "iris.team", None, PLAIN, "/invocations/ is no address"),
        ("POST /endpoints//invocations", "h", None, SM, "/endpoints//invocations is no address"),
        ("POST /endpoints/iris", "h", None, SM, "/endpoints/iris is no address"),
        ("POST /endpoints/iris/invocations/more", "h", None, SM, "is no address"),
        ("POST /namespaces/team/endpoints/iris", "h", None, PLAIN, "is no address"),
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
def test_what_names_nothing_says_why(line: str, host: str, header: str | None, style: Style, words: str) -> None:
    answer = ask(line, host, header)

    assert isinstance(answer, NoAddress)
    assert answer.style is style
    assert words in answer.reason


def test_a_reason_never_repeats_a_long_path() -> None:
    answer = ask("GET /" + "x" * 5000)

    assert isinstance(answer, NoAddress)
    assert len(answer.reason) < 500
