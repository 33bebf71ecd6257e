"""What Kindler needs an API server to do: cases that the server in memory and a real one must both pass.

Each case is an async function of a World. It creates its objects in a namespace of its own. Its name says what must be
true. Other writers use the namespace too. For example, kube-controller-manager creates the ConfigMap
`kube-root-ca.crt` in each new namespace, at an unknown time. Therefore a case selects its own objects by name when it
reads lists and watches. The wiring tests also run every case with a second writer in the namespace
(tests/apiserver/bystander.py).

Belongs here: cases that both servers must pass. Does not belong here: a case that only one of the servers can pass.
"""

from tests.apiserver.conformance import (  # each module adds its cases to CASES
    apply,
    autoscaling,
    changes,
    deletion,
    leases_and_events,
    objects,
    watching,
)
from tests.apiserver.conformance.world import CASES, Case, World

__all__ = [
    "CASES",
    "Case",
    "World",
    "apply",
    "autoscaling",
    "changes",
    "deletion",
    "leases_and_events",
    "objects",
    "watching",
]
