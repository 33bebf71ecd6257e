"""Kindler: serverless model endpoints for any Kubernetes cluster.

Rooms, and the only direction in which they may import (guarded by import-linter):

    __main__ -> controller | activator -> clients -> core -> api

`controller` reconciles objects, `activator` serves requests, `clients` see and touch the world, `core` decides (pure), `api` holds the words.
"""

__version__ = "0.1.0"
