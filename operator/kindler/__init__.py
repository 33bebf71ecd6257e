"""Kindler: serverless model endpoints for any Kubernetes cluster.

Packages, and the only direction in which they may import (import-linter checks it):

    __main__  ->  controller | activator | metrics  ->  runtime  ->  clients  ->  core  ->  api

    controller   reconciles objects: decides when to examine an object, and in which order to write
    activator    forwards requests to model pods, and scales pools up from zero
    metrics      serves the metrics API that HPAs read
    runtime      code that all processes share: start and stop, HTTP server, tokens, logs, background tasks
    clients      access to the Kubernetes API and to other processes
    core         decisions as pure functions of frozen values: no I/O and no clock
    api          the user's objects as frozen values and schemas, names, settings, CRD generation

The three processes do not import each other. Inside core, `endpoint` imports `autoscaling` and `dataplane`, which do
not import each other. Every package of core may import `common`. Inside the activator, `process` imports the request
handling and the servers. These import `cluster` and `wire`, which do not import each other and which import `endpoint`.
pyproject.toml has the exact contracts.
"""

__version__ = "0.1.0"
