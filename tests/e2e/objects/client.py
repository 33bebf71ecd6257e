"""Sends cases to the API server through `kubectl proxy`, which needs only kubectl and responds within milliseconds.

Objects are sent as a dry run, except those that a case changes: these are created and deleted again.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from kindler.api import names
from kindler.api.kinds import KINDS
from tests.e2e.objects.case import ACCEPTED, REFUSED, WARNED, Case, Json

_PLURALS = {kind.kind: kind.plural for kind in KINDS}
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Response:
    """The API server's response.

    `text`: the error or the warnings; empty if the object was accepted without any. `stored`: the accepted object, or
    None.
    """

    verdict: str
    text: str
    stored: Json | None


class Client:
    """A connection to the API server, through which cases send objects of one namespace."""

    def __init__(self, connection: http.client.HTTPConnection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    def send(self, case: Case) -> Response:
        """The response to the case's change, or to its creation if it has no change.

        Raises AssertionError if the object to change is rejected.
        """
        collection = f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{_PLURALS[case.kind]}"
        manifest = case.manifest()
        if case.change is None:
            return self.call("POST", f"{collection}?fieldValidation=Strict&dryRun=All", manifest)
        one = f"{collection}/{manifest['metadata']['name']}"
        created = self.call("POST", f"{collection}?fieldValidation=Strict", manifest)
        assert created.verdict != REFUSED, f"{case.name}: the object to change was rejected: {created.text}"
        try:
            return self.call("PATCH", f"{one}?fieldValidation=Strict&dryRun=All", case.change)
        finally:
            self.call("DELETE", one, None)

    def call(self, method: str, path: str, body: Json | None) -> Response:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        self._connection.request(
            method,
            path,
            None if body is None else json.dumps(body),
            {"Content-Type": kind, "Accept": "application/json"},
        )
        http_response = self._connection.getresponse()
        warnings = [
            text.replace('\\"', '"')
            for header in http_response.headers.get_all("Warning") or ()
            for text in _WARNING.findall(header)
        ]
        value = json.loads(http_response.read())
        if http_response.status >= 400:
            return Response(REFUSED, value["message"], None)
        return Response(WARNED if warnings else ACCEPTED, "\n".join(warnings), value)


@contextmanager
def connected(namespace: str, kubectl: str = "kubectl") -> Iterator[Client]:
    """A Client for an existing namespace. The proxy listens on the loopback address and ends with the block."""
    with subprocess.Popen([kubectl, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            line = proxy.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert found, f"kubectl proxy did not start: {line!r}"
            with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)) as connection:
                yield Client(connection, namespace)
        finally:
            proxy.terminate()
