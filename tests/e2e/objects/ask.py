"""Asks the API server about a case, through `kubectl proxy`: whoever can use kubectl can ask, and an answer takes milliseconds.

Objects are only tried (dryRun), except those that a case changes: these are created and deleted again.
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
class Answer:
    """What the API server said: `text` is the refusal or the warnings, empty when it just accepted. `stored` is the object as accepted, else None."""

    verdict: str
    text: str
    stored: Json | None


class Asker:
    """One connection to the API server, for objects in one namespace."""

    def __init__(self, connection: http.client.HTTPConnection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    def ask(self, case: Case) -> Answer:
        """The verdict on the case: on its change where it has one, else on its creation. Raises AssertionError when an object to change was refused."""
        collection = f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{_PLURALS[case.kind]}"
        manifest = case.manifest()
        if case.change is None:
            return self.call("POST", f"{collection}?fieldValidation=Strict&dryRun=All", manifest)
        one = f"{collection}/{manifest['metadata']['name']}"
        created = self.call("POST", f"{collection}?fieldValidation=Strict", manifest)
        assert created.verdict != REFUSED, f"{case.name}: the object that was to be changed was refused: {created.text}"
        try:
            return self.call("PATCH", f"{one}?fieldValidation=Strict&dryRun=All", case.change)
        finally:
            self.call("DELETE", one, None)

    def call(self, method: str, path: str, body: Json | None) -> Answer:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        self._connection.request(
            method,
            path,
            None if body is None else json.dumps(body),
            {"Content-Type": kind, "Accept": "application/json"},
        )
        response = self._connection.getresponse()
        warnings = [
            text.replace('\\"', '"')
            for header in response.headers.get_all("Warning") or ()
            for text in _WARNING.findall(header)
        ]
        value = json.loads(response.read())
        if response.status >= 400:
            return Answer(REFUSED, value["message"], None)
        return Answer(WARNED if warnings else ACCEPTED, "\n".join(warnings), value)


@contextmanager
def asking(namespace: str, kubectl: str = "kubectl") -> Iterator[Asker]:
    """An Asker for a namespace that exists. The proxy listens on the loopback address and ends with the block."""
    with subprocess.Popen([kubectl, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            line = proxy.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert found, f"kubectl proxy did not start: {line!r}"
            with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)) as connection:
                yield Asker(connection, namespace)
        finally:
            proxy.terminate()
