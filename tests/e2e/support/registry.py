"""Copies an image between the cluster's registries by their HTTP API, as a user does with `docker push`."""

from __future__ import annotations

import base64
import http.client
import json
import os
from typing import Any

USER = PASSWORD = "kindler"
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "docker.distribution.manifest.v2",
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
    )
)


class Registry:
    """One registry at `host:port`."""

    def __init__(self, address: str, *, private: bool = False) -> None:
        self.address = address
        self.headers = (
            {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()} if private else {}
        )

    def call(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(
                method, path, body, self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        assert response.status < 300, f"{method} {path}: {response.status} {raw[:300]!r}"
        return response.headers, raw

    def put_blob(self, name: str, digest: str, blob: bytes) -> None:
        headers, _ = self.call("POST", f"/v2/{name}/blobs/uploads/")
        location = headers["Location"].removeprefix(f"http://{self.address}")
        self.call(
            "PUT",
            f"{location}{'&' if '?' in location else '?'}digest={digest}",
            blob,
            Content_Type="application/octet-stream",
        )


def copy(source: str, target: str, *, private: bool = False) -> None:
    """Copies `NAME:TAG` of the open registry to another `NAME:TAG` in it, or in the private registry."""
    old = Registry(os.environ["KINDLER_PUSH"])
    new = Registry(os.environ["KINDLER_PUSH_PRIVATE"], private=True) if private else old
    (name, tag), (new_name, new_tag) = source.split(":"), target.split(":")
    headers, raw = old.call("GET", f"/v2/{name}/manifests/{tag}", Accept=MANIFESTS)
    manifest: dict[str, Any] = json.loads(raw)
    for part in (manifest["config"], *manifest["layers"]):
        new.put_blob(new_name, part["digest"], old.call("GET", f"/v2/{name}/blobs/{part['digest']}")[1])
    new.call("PUT", f"/v2/{new_name}/manifests/{new_tag}", raw, Content_Type=headers["Content-Type"])
