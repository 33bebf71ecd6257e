"""Which endpoint a request names (by host, target and X-Kindler-Namespace), and which style error responses have.

    POST /endpoints/{endpointName}/invocations
        SageMaker's path. The namespace is the value of X-Kindler-Namespace, else the installation's default.
    POST /namespaces/{ns}/endpoints/{endpointName}/invocations
        A SageMaker name in the namespace of the path.
    POST /invocations   at  {name}.{ns}[.svc[.{cluster domain}]]
        The per-endpoint Service. The host contains the object's name.
    GET  .../ping[?wake=true]
        A ping, with each of these paths and hosts.

Errors of the first form look like SageMaker's; errors of the other forms are plain HTTP. A path that names an endpoint
takes precedence over the host. SageMaker names are compared exactly. Object names are compared as DNS does, without
regard to case.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote


class Style(enum.Enum):
    """The form of error responses."""

    SAGEMAKER = "sagemaker"  # x-amzn-errortype, {"message": ...}, SageMaker's statuses
    PLAIN = "plain"


class Purpose(enum.Enum):
    """What an endpoint must do for a request."""

    INVOCATION = "invocation"
    PING = "ping"  # GET .../ping without wake: a local reply from the known state of the pods
    WAKE = "wake"  # GET .../ping?wake=true: held and placed like an invocation; the response is a local 200


@dataclass(frozen=True, slots=True)
class Address:
    """The endpoint that a request names: by SageMaker name (`by_object_name` False) or by `metadata.name` (True)."""

    style: Style
    purpose: Purpose
    namespace: str
    name: str
    by_object_name: bool


@dataclass(frozen=True, slots=True)
class NoAddress:
    """A request that names no endpoint; `reason` is a sentence that lists the existing forms."""

    style: Style
    reason: str


FORMS: Final = (
    "POST /endpoints/{endpointName}/invocations, POST /namespaces/{namespace}/endpoints/{endpointName}/invocations, "
    "POST http://{name}.{namespace}/invocations, and GET .../ping on each of them"
)
_PATH: Final = re.compile(rb"/(?:namespaces/([^/?]+)/)?endpoints/([^/?]+)/(invocations|ping)")
_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_METHODS: Final = {"invocations": (b"POST",), "ping": (b"GET", b"HEAD")}


def resolve(
    method: bytes, target: bytes, host: bytes, namespace: bytes | None, default_namespace: str, cluster_domain: str
) -> Address | NoAddress:
    """The address of one request. `target`: in origin form. `namespace`: the value of X-Kindler-Namespace, or None."""
    path, _, query = target.partition(b"?")
    named = _PATH.fullmatch(path)
    if named:
        style = Style.PLAIN if named[1] else Style.SAGEMAKER
        name, verb = _by_path(named, namespace, default_namespace), named[3].decode()
    elif path in (b"/invocations", b"/ping"):
        style, name, verb = Style.PLAIN, _by_host(host, cluster_domain), path[1:].decode()
    else:
        style = Style.SAGEMAKER if path.startswith(b"/endpoints/") else Style.PLAIN
        return NoAddress(style, f"{_shown(path)} is not the address of an endpoint. Valid addresses: {FORMS}.")
    if isinstance(name, str):
        return NoAddress(style, name)
    if method not in _METHODS[verb]:
        return NoAddress(
            style,
            f"{_shown(method)} is not used on {_shown(path)}: use {' or '.join(_shown(m) for m in _METHODS[verb])}.",
        )
    return Address(style, _purpose(verb, query), *name, by_object_name=named is None)


def _purpose(verb: str, query: bytes) -> Purpose:
    if verb == "invocations":
        return Purpose.INVOCATION
    wake = parse_qs(query.decode("latin-1")).get("wake", [""])[-1].lower()
    return Purpose.WAKE if wake in ("true", "1") else Purpose.PING


def _by_path(named: re.Match[bytes], header: bytes | None, default_namespace: str) -> tuple[str, str] | str:
    """(namespace, SageMaker name), or the reason why the path names no endpoint."""
    raw = named[1] if named[1] is not None else header
    namespace = default_namespace if raw is None else unquote(raw.decode("latin-1"))
    if not _LABEL.fullmatch(namespace):
        return f"{namespace!r} is not the name of a namespace."
    return namespace, unquote(named[2].decode("latin-1"))


def _by_host(host: bytes, cluster_domain: str) -> tuple[str, str] | str:
    """(namespace, object name), or the reason why the host names no endpoint."""
    text = host.decode("latin-1").lower().removesuffix(".")
    labels = text.removesuffix(f".{cluster_domain}".lower()).split(".")
    if len(labels) == 3 and labels[2] == "svc":
        labels.pop()
    if len(labels) == 2 and all(_LABEL.fullmatch(label) for label in labels) and not labels[1].isdigit():
        return labels[1], labels[0]
    if len(labels) == 1 and _LABEL.fullmatch(labels[0]):
        return (
            f"The host must name the namespace: http://{labels[0]}.{{namespace}}/invocations "
            "(the namespace of the caller cannot be seen from here)."
        )
    return f"The host {text!r} is not that of an endpoint. Valid addresses: {FORMS}."


def _shown(raw: bytes) -> str:
    text = raw.decode("latin-1")
    return text if len(text) <= 120 else text[:119] + "…"
