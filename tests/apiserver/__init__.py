"""A strict API server in memory, and a kubelet for it: what wiring tests run the real processes against.

It does what the real one does, as far as Kindler can notice; `tests/wiring/test_apiserver_conformance.py` and `tests/e2e/test_conformance.py` hold both
to the same cases. Lives here: stand-ins of Kubernetes. Must not live here: anything of Kindler.
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
