"""The pods' network, if the node image or the engine does not provide one: CNI files, routes to pods, and DNS.

CNI files are for a node image made on this machine, which has no network daemon. Routes and DNS are
for the sandbox's engine.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack import kindconfig, shell
from hack.docker import Engine
from hack.steps import CommandError

NODES_SECONDS = 60
_CNI_FILE = "/etc/cni/net.d/10-kindler.conflist"
_KUBE_PROXY_READY = f"iptables-save --table nat | grep -q {kindconfig.API_SERVICE}/32"
_AWAIT_KUBE_PROXY = f"timeout 60 sh -c 'until {_KUBE_PROXY_READY}; do sleep 0.1; done'"


@dataclass(frozen=True)
class Node:
    """A node of the cluster. `pods`: the address range of its pods."""

    name: str
    address: str
    pods: str


def nodes(kubectl: list[str], expected: int) -> list[Node]:
    """Waits until every node has an address range for pods, and returns the nodes. Raises CommandError.

    `kubectl`: the words of a kubectl command line before the verb.
    """
    fields = '{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address} {.spec.podCIDR}{"\\n"}'
    command = [*kubectl, "get", "nodes", "-o", f"jsonpath={{range .items[*]}}{fields}{{end}}"]
    deadline = time.monotonic() + NODES_SECONDS
    while time.monotonic() < deadline:
        rows = [row.split() for row in shell.output(command).splitlines()]
        if len(rows) == expected and all(len(row) == 3 for row in rows):
            return [Node(*row) for row in rows]
        time.sleep(0.2)
    raise CommandError(f"the nodes have no address range for pods after {NODES_SECONDS} s: run `make up` again")


def conflist(node: Node) -> str:
    """The node's CNI file: a veth pair for each pod, addresses from the node's range, host ports."""
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


def install_cni(engine: Engine, every: list[Node]) -> None:
    """Writes the CNI file of each node, and the routes from each node to the pods of the others."""
    for node in every:
        routes = "".join(f"ip route replace {other.pods} via {other.address}; " for other in every if other != node)
        # Pods start as soon as the CNI file exists. A pod that calls the API server before kube-proxy has written its
        # rules waits half a minute for a response that never comes: we saw this with CoreDNS. So the script waits for
        # the rules first. It renames the complete file into place, because containerd may read the folder at any time.
        write = f"mkdir -p /etc/cni/net.d; cat > {_CNI_FILE}.new"
        script = f"set -e; {write}; {_AWAIT_KUBE_PROXY}; mv {_CNI_FILE}.new {_CNI_FILE}; {routes}"
        engine.output("exec", "--interactive", node.name, "sh", "-c", script, stdin=conflist(node))


def closed_corefile(corefile: str) -> str:
    """CoreDNS's settings for a network from which no outside name server can be reached.

    Without the line `forward`, a look-up of a name outside the cluster fails at once instead of after seconds.
    """
    return re.sub(r" *forward \. /etc/resolv\.conf( \{[^}]*\})?\n", "", corefile)


def close_dns(kubectl: list[str]) -> None:
    """Writes the result of closed_corefile to the cluster.

    Call this function before pods can start, because CoreDNS reads its settings only once.
    """
    command = [*kubectl, "--namespace", "kube-system"]
    found = json.loads(shell.output([*command, "get", "configmap", "coredns", "--output", "json"]))
    change = {"data": {"Corefile": closed_corefile(found["data"]["Corefile"])}}
    shell.output([*command, "patch", "configmap", "coredns", "--type", "merge", "--patch", json.dumps(change)])


def add_routes(engine: Engine, every: list[Node]) -> None:
    """Makes pods and Services reachable by address in the engine's network, where `enter` runs commands."""
    first = next(node for node in every if node.name.endswith("control-plane"))
    routes = [(kindconfig.SERVICE_SUBNET, first.address), *((node.pods, node.address) for node in every)]
    for target, via in routes:
        shell.output(engine.in_network("ip", "route", "replace", target, "via", via))


def enter(engine: Engine, command: Sequence[str], resolv_conf: Path) -> list[str]:
    """The command line that runs `command` in the engine's network, with the cluster's DNS.

    The process gets its own mount namespace, so only the process and its children see this resolv.conf.
    """
    script = 'test ! -e /etc/resolv.conf || mount --bind "$0" /etc/resolv.conf; exec "$@"'
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(resolv_conf)]
    return [*engine.prefix, *unshare, *command]
