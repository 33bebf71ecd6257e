"""A model's pod has a volume only if its root file system is read-only. Without a volume it starts faster."""

from __future__ import annotations

from typing import Any

from kindler.core.endpoint.podspec import pod_spec
from tests.unit.builders import SETTINGS, resolved


def spec(read_only: bool) -> dict[str, Any]:
    return pod_spec(resolved(read_only_root_filesystem=read_only).shape, SETTINGS)


def test_a_pod_has_a_volume_only_if_its_root_is_read_only() -> None:
    usual, hardened = spec(False), spec(True)
    assert "volumes" not in usual
    assert "volumeMounts" not in usual["containers"][0]
    assert hardened["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert hardened["containers"][0]["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    for pod in (usual, hardened):
        assert {"name": "HOME", "value": "/tmp"} in pod["containers"][0]["env"]
