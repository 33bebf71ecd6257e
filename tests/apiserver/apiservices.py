"""Defaults and validation of APIServices.

The server in memory does not call the service that an APIService names: a test writes the conditions itself.
"""

from __future__ import annotations

import base64
from typing import Any

from tests.apiserver.refusal import bad_request, invalid


def complete(obj: dict[str, Any]) -> None:
    """Fills in the defaults of an APIService, in place. Raises Refused (400, 422) if it is invalid."""
    spec, name = obj.setdefault("spec", {}), obj["metadata"]["name"]
    if spec.get("service"):
        spec["service"].setdefault("port", 443)
    try:
        if not base64.b64decode(spec.get("caBundle", ""), validate=True):
            spec.pop("caBundle", None)
    except ValueError:
        raise bad_request(
            'APIService in version "v1" cannot be handled as a APIService: illegal base64 data at input byte 0'
        ) from None
    failures = []
    if name != (right := f"{spec.get('version', '')}.{spec.get('group', '')}"):
        failures.append(f'metadata.name: Invalid value: "{name}": must be `spec.version+"."+spec.group`: "{right}"')
    for field, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        if not 0 < (number := spec.get(field, 0)) <= most:
            failures.append(f"spec.{field}: Invalid value: {number}: must be positive and less than {most}")
    if spec.get("insecureSkipTLSVerify") and "caBundle" in spec:
        failures.append("spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present")
    if failures:
        raise invalid(
            "APIService.apiregistration.k8s.io", name, failures[0] if len(failures) == 1 else f"[{', '.join(failures)}]"
        )
