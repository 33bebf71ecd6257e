"""Pod networking where the node image brings none: each node's CNI file, and on each node and in the engine's network the routes to pods."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from hack import kindconfig, shell
from hack.engine import Engine
from hack.steps import Trouble

_RULES = f"timeout 60 sh -c 'until iptables-save --table nat | grep -q {kindconfig.API_SERVICE}/32; do sleep 0.1; done'"
_CNI_FILE = "/etc/cni/net.d/10-kindler.conflist"


@dataclass(frozen=True)
class Node:
    name: str
    address: str
    pods: str  # the range of its pods' addresses


def nodes(kubectl: list[str], expected: int) -> list[Node]:
    """The nodes, once each has its pod range. kubectl: a command line up to the verb."""
    form = '{range .items[*]}{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address} {.spec.podCIDR}{"\\n"}{end}'
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        rows = [row.split() for row in shell.output([*kubectl, "get", "nodes", "-o", f"jsonpath={form}"]).splitlines()]
        if len(rows) == expected and all(len(row) == 3 for row in rows):
            return [Node(*row) for row in rows]
        time.sleep(0.2)
    raise Trouble("the nodes have got no range for their pods within a minute")


def conflist(node: Node) -> str:
    """The node's CNI file: a pair of interfaces per pod, addresses from the node's range, host ports."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": node.pods}]],
    }
    plugins = [
        {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": addresses},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "kindler", "plugins": plugins})


def connect(engine: Engine, every: list[Node]) -> None:
    """Writes CNI files and routes between nodes."""
    for node in every:
        routes = "".join(f"ip route replace {other.pods} via {other.address}; " for other in every if other != node)
        # Pods start as soon as the file is there. One that calls the API server before kube-proxy has written its rules waits half a minute for an
        # answer that cannot come (so did CoreDNS). Renamed into place: containerd reads the folder at any moment.
        script = f"set -e; mkdir -p /etc/cni/net.d; cat > {_CNI_FILE}.new; {_RULES}; mv {_CNI_FILE}.new {_CNI_FILE}; {routes}"
        shell.output(
            engine.command("exec", "--interactive", node.name, "sh", "-c", script), env=engine.env, feed=conflist(node)
        )


def closed_corefile(corefile: str) -> str:
    """The DNS server's settings for a network that nothing can leave: without a server to forward to, other names than the cluster's fail at once, not
    after seconds."""
    return re.sub(r" *forward \. /etc/resolv\.conf( \{[^}]*\})?\n", "", corefile)


def close_dns(kubectl: list[str]) -> None:
    """Puts closed_corefile into force. Before pods can start: the server reads its settings once."""
    place = [*kubectl, "--namespace", "kube-system"]
    found = json.loads(shell.output([*place, "get", "configmap", "coredns", "--output", "json"]))
    change = {"data": {"Corefile": closed_corefile(found["data"]["Corefile"])}}
    shell.output([*place, "patch", "configmap", "coredns", "--type", "merge", "--patch", json.dumps(change)])


def reach(engine: Engine, every: list[Node]) -> None:
    """In an engine's network of our own: pods and Services can be reached by address from where `run` runs."""
    first = next(node for node in every if node.name.endswith("control-plane"))
    for target, via in [(kindconfig.SERVICE_SUBNET, first.address), *((node.pods, node.address) for node in every)]:
        shell.output([*engine.prefix, "ip", "route", "replace", target, "via", via])
