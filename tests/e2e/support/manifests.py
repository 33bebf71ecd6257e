"""The three manifests as a user writes them, with only what a journey wants to say."""

from __future__ import annotations

import os
from typing import Any

Json = dict[str, Any]

API_VERSION = "serving.kindler.dev/v1alpha1"
ECHO = os.environ.get("KINDLER_ECHO_IMAGE", "localhost:5000/echo:1")


def _object(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def model(name: str, *, image: str = ECHO, environment: dict[str, str] | None = None, **spec: Any) -> Json:
    container = {"image": image} | ({"environment": environment} if environment else {})
    return _object("Model", name, {"primaryContainer": container, **spec})


def config(
    name: str,
    *,
    model: str | None = None,
    memory: int = 1024,
    limit: int = 5,
    per_pod: int | None = None,
    warm: int | None = None,
    idle: int | None = None,
    seconds: int | None = None,
    startup: int | None = None,
    **spec: Any,
) -> Json:
    """`limit`: maxConcurrency; `warm`: provisionedConcurrency; `idle`, `seconds` (invocation) and `startup`: time limits. None leaves a field out."""
    wanted = {"maxConcurrencyPerInstance": per_pod, "provisionedConcurrency": warm, "idleTimeoutInSeconds": idle, "invocationTimeoutInSeconds": seconds}
    serverless = {"memorySizeInMB": memory, "maxConcurrency": limit} | {key: value for key, value in wanted.items() if value is not None}
    variant: Json = {"variantName": "AllTraffic", "modelName": model or name, "serverlessConfig": serverless}
    if startup is not None:
        variant["containerStartupHealthCheckTimeoutInSeconds"] = startup
    return _object("EndpointConfig", name, {"productionVariants": [variant], **spec})


def endpoint(name: str, *, config: str | None = None, **spec: Any) -> Json:
    return _object("Endpoint", name, {"endpointConfigName": config or name, **spec})
