"""Runs kubectl and helm as a user does."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


class CommandError(AssertionError):
    """A command failed. The text has the command and all its output; `stderr` has only standard error."""

    def __init__(self, command: list[str], code: int, out: str, stderr: str) -> None:
        super().__init__(f"$ {' '.join(command)}\nexit status {code}\n{out}{stderr}")
        self.stderr = stderr


def command(*words: str, stdin: str | None = None, timeout: float = 300) -> str:
    """Runs a program and returns its standard output. Raises CommandError if it fails."""
    result = subprocess.run(list(words), input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if result.returncode:
        raise CommandError(list(words), result.returncode, result.stdout, result.stderr)
    return result.stdout


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.program = os.environ.get("KUBECTL", "kubectl")

    def __call__(self, *words: str, stdin: str | None = None, timeout: float = 300) -> str:
        return command(self.program, "-n", self.namespace, *words, stdin=stdin, timeout=timeout)

    def apply(self, *objects: Json | Iterable[Json]) -> str:
        """`kubectl apply -f -`, with strict field validation (kubectl's default)."""
        flat = [item for thing in objects for item in ([thing] if isinstance(thing, dict) else thing)]
        return self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": flat}))

    def create(self, item: Json) -> Json:
        """`kubectl create`. Returns the object as the server stored it."""
        created: Json = json.loads(self("create", "-o", "json", "-f", "-", stdin=json.dumps(item)))
        return created

    def get(self, kind: str, name: str) -> Json:
        """One object. Raises CommandError if it does not exist."""
        obj: Json = json.loads(self("get", kind, name, "-o", "json"))
        return obj

    def patch(self, kind: str, name: str, change: Json, *options: str) -> str:
        return self("patch", kind, name, "--type=merge", "-p", json.dumps(change), *options)

    def delete(self, kind: str, *names: str, wait: bool = True) -> str:
        return self("delete", kind, *names, f"--wait={str(wait).lower()}", "--ignore-not-found")

    def wait(self, kind: str, name: str, condition: str, timeout: float = 60) -> str:
        """`kubectl wait --for=...`, for example condition=Ready=False. Raises CommandError after the timeout."""
        return self("wait", f"{kind}/{name}", f"--for={condition}", f"--timeout={timeout:g}s", timeout=timeout + 30)
