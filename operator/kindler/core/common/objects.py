"""A Kubernetes object as plain JSON. Values that hold such an object never change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
