"""A Kubernetes object as plain JSON. Code that holds such an object must never change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
