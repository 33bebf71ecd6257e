"""A strict API server in memory, and a kubelet for it. The wiring tests run Kindler's real processes against them.

The server behaves like the real one in everything that Kindler depends on. `tests/wiring/test_apiserver_conformance.py`
runs its cases on this server, and `tests/e2e/test_conformance.py` runs the same cases on a real one.

Belongs here: substitutes for parts of Kubernetes. Does not belong here: code or tests of Kindler.
"""

from tests.apiserver.faults import Fault, Faults, Request, matching
from tests.apiserver.kubelet import Behaviour, Kubelet
from tests.apiserver.objects import Object
from tests.apiserver.refusal import Refused
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Change, Store

__all__ = [
    "ApiServer",
    "Behaviour",
    "Change",
    "Fault",
    "Faults",
    "Kubelet",
    "Object",
    "Refused",
    "Request",
    "Store",
    "matching",
]
