"""What kind needs to create a cluster: the node image, and its configuration file as JSON (JSON is valid YAML).

Here: settings of the cluster. Not here: commands (cluster.py).
"""

from __future__ import annotations

import json

# The image that kind v0.33.0 was released with.
NODE_IMAGE = "docker.io/kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
POD_SUBNET, SERVICE_SUBNET = "10.244.0.0/16", "10.96.0.0/16"
API_SERVICE, DNS_SERVICE = "10.96.0.1", "10.96.0.10"
GATEWAY_NODE_PORT = 30080


def render(nodes: int, *, own_cni: bool, cgroup_v1: bool, restricted: bool) -> str:
    """The configuration file.

    `own_cni`: the node image has no network daemon. `cgroup_v1`, `restricted`: this machine needs settings that a
    normal machine does not need (see docker.Engine).
    """
    roles = [_control_plane()] + [{"role": "worker"}] * (nodes - 1)
    config: dict[str, object] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"podSubnet": POD_SUBNET, "serviceSubnet": SERVICE_SUBNET, "disableDefaultCNI": own_cni},
        "nodes": roles,
        "kubeadmConfigPatches": [json.dumps(_kubelet(cgroup_v1)), json.dumps(_cluster())],
    }
    if restricted:
        config["containerdConfigPatches"] = ['[plugins."io.containerd.grpc.v1.cri"]\n  restrict_oom_score_adj = true\n']
    return json.dumps(config, indent=1)


def _control_plane() -> dict[str, object]:
    # Port 0: Docker takes a free port, so that the clusters of several checkouts can share one engine.
    mapping = {"containerPort": GATEWAY_NODE_PORT, "hostPort": 0, "listenAddress": "127.0.0.1"}
    return {"role": "control-plane", "extraPortMappings": [mapping]}


def _kubelet(cgroup_v1: bool) -> dict[str, object]:
    settings: dict[str, object] = {
        "kind": "KubeletConfiguration",
        "maxPods": 250,
        "serializeImagePulls": False,
        "crashLoopBackOff": {"maxContainerRestartPeriod": "5s"},  # else tests of crash loops take minutes
    }
    return settings | ({"failCgroupV1": False} if cgroup_v1 else {})


def _cluster() -> dict[str, object]:
    manager = {
        "enable-hostpath-provisioner": "true",  # kind's default; a patch replaces the whole list
        "node-cidr-mask-size": "23",  # more than 250 addresses per node
        "horizontal-pod-autoscaler-sync-period": "2s",
        "horizontal-pod-autoscaler-downscale-stabilization": "5s",
    }
    return {
        "kind": "ClusterConfiguration",
        "controllerManager": {"extraArgs": [{"name": name, "value": value} for name, value in manager.items()]},
        "etcd": {"local": {"extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}]}},
    }
