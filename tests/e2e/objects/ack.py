"""Manifests for AWS's controller (ACK). If only their apiVersion is changed, Kindler accepts most of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from tests.e2e.objects.case import ACCEPTED, REFUSED, WARNED, Case, Json

MANIFESTS: Final[tuple[Json, ...]] = tuple(
    yaml.safe_load_all(Path(__file__).with_name("ack.yaml").read_text(encoding="utf-8"))
)

# The manifests that are rejected or get a warning, with the verdict and parts of the message.
_MESSAGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ack-model": (WARNED, ("modelDataURL has no effect",)),
    "ack-model-every-field": (
        WARNED,
        ("modelDataURL has no effect", "modelDataSource has no effect", "repositoryAuthConfig has no effect"),
    ),
    "ack-config-every-field": (
        WARNED,
        (
            "instanceType has no effect",
            "acceleratorType has no effect",
            "managedInstanceScaling has no effect",
            "kmsKeyID has no effect",
        ),
    ),
    "ack-endpoint-every-field": (WARNED, ("deploymentConfig has no effect",)),
    "ack-config-instance-based": (REFUSED, ("instance-based variants are not served", "set serverlessConfig")),
}


def _case(manifest: Json) -> Case:
    name = manifest["metadata"]["name"]
    verdict, words = _MESSAGES.get(name, (ACCEPTED, ()))
    extra = {"status": manifest["status"]} if "status" in manifest else None
    return Case(name, manifest["kind"], manifest["spec"], verdict, words, metadata=manifest["metadata"], extra=extra)


CASES: Final = tuple(_case(manifest) for manifest in MANIFESTS)
