"""The programs of a node image that is made on this machine, built from pinned Go modules (see hack/toolbox.py)."""

from __future__ import annotations

from hack.toolbox import KUBERNETES as K8S
from hack.toolbox import KUBERNETES_TAGS, Tool, packages

_CONTAINERD, _CNI = "github.com/containerd/containerd/v2", "github.com/containernetworking/plugins"
_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")

KUBERNETES = Tool(
    "kubernetes",
    K8S,
    packages(f"{K8S}/cmd", "kubeadm", "kubelet", *_CONTROL_PLANE, "kube-proxy"),
    "6 min",
    for_linux=True,
    tags=KUBERNETES_TAGS,
    folder="tools/kubernetes",  # the module from which kubectl is built too
)
ETCD = Tool(
    "etcd",
    "go.etcd.io/etcd/server/v3",
    {"etcd": "go.etcd.io/etcd/server/v3"},
    "50 s",
    for_linux=True,
    folder="sandbox/tools/etcd",
)
CONTAINERD = Tool(
    "containerd",
    _CONTAINERD,
    packages(f"{_CONTAINERD}/cmd", "containerd", "containerd-shim-runc-v2", "ctr"),
    "80 s",
    for_linux=True,
    tags="no_btrfs,no_devmapper,no_zfs,no_aufs",
    folder="sandbox/tools/containerd",
)
CNI = Tool(
    "cni",
    _CNI,
    packages(f"{_CNI}/plugins", "main/ptp", "main/loopback", "ipam/host-local", "meta/portmap"),
    "10 s",
    for_linux=True,
    folder="sandbox/tools/cni",
)
COREDNS = Tool(
    "coredns",
    "github.com/coredns/coredns",
    {"coredns": "github.com/coredns/coredns"},
    "2 min",
    for_linux=True,
    folder="sandbox/tools/coredns",
)
PAUSE = Tool(
    "pause", "example.invalid/tools/pause", {"pause": "."}, "1 s", for_linux=True, folder="sandbox/tools/pause"
)

TOOLS = (KUBERNETES, ETCD, CONTAINERD, CNI, COREDNS, PAUSE)
