"""The cluster of this checkout: up, down, and commands that reach it.

With Docker, `up` pulls kind's node image, runs `kind create cluster`, starts two image registries, and configures the
nodes to use them. hack/engine.py provides the replacements for a machine without Docker or without a registry.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hack import engine as engines
from hack import images, kindconfig, leftovers, paths, registry, shell, toolbox
from hack.docker import Engine, nodes_label
from hack.engine import NodeImage
from hack.steps import CommandError, done, step

KUBECONFIG = paths.run_folder() / "kubeconfig"
NO_CLUSTER = "no cluster is up: run `make demo` (with Kindler) or `make up` (without) first"
_STATE = paths.run_folder() / "state.json"  # written last, when the cluster is complete
_RESOLV_CONF = paths.run_folder() / "resolv.conf"
_BIN = paths.run_folder() / "bin"
_GENERATION = "1"  # increase it when clusters that are up must be created again


def up(*, nodes: int | None = None, fresh: bool = False) -> None:
    """Starts those of engine, cluster and registries that do not run yet. Hold the cluster's lock.

    `nodes`: the number of nodes. By default it is that of the cluster that is up, or 1 if no cluster is up. `fresh`:
    create a new cluster even if one is up.
    """
    leftovers.record_owner()
    toolbox.ensure(*toolbox.CLIENTS)
    engine = engines.up()
    _link_programs(engine)
    nodes = nodes or _read_state().get("required", {}).get("nodes", 1)
    image = engines.node_image(engine)
    required = {"image": image.name, "nodes": nodes, "generation": _GENERATION}
    if fresh or not _is_complete(engine, required):
        _create(engine, image, nodes)
    else:
        done(f"cluster: {paths.NAME} is up")
    registry.up(engine)
    if _read_state().get("required") != required:
        _connect_registries(engine)
        _write_state(engine, required)


def _create(engine: Engine, image: NodeImage, nodes: int) -> None:
    _delete(engine)
    settings = {"own_cni": image.made_here, "cgroup_v1": engine.cgroup_v1, "restricted": engine.restricted}
    file = paths.run_folder() / "kind.json"
    file.write_text(kindconfig.render(nodes, **settings))
    with step(f"cluster: kind creates {paths.NAME} with {nodes} node{'s' if nodes > 1 else ''}", "30 s"):
        kind = engine.in_network(_BIN / "kind", "create", "cluster")
        options = {"name": paths.NAME, "image": image.name, "config": file, "kubeconfig": KUBECONFIG}
        command = [*kind, *(f"--{name}={value}" for name, value in options.items())]
        shell.run(command, "cluster", env={**engine.env, "PATH": f"{_BIN}:{os.environ['PATH']}"})
        engines.prepare_network(engine, image, kubectl(engine), nodes)
        _await_ready(engine)


def _await_ready(engine: Engine) -> None:
    """Waits for the nodes, for DNS, and for the ServiceAccount without which no pod can be created."""
    for condition in (
        ["nodes", "--all", "--for=condition=Ready", "--timeout=180s"],
        ["deployment/coredns", "--namespace", "kube-system", "--for=condition=Available", "--timeout=180s"],
        ["serviceaccount/default", "--for=create", "--timeout=60s"],
    ):
        shell.run(kubectl(engine, "wait", *condition), "cluster", env=engine.env)


def _connect_registries(engine: Engine) -> None:
    for node in engine.containers(nodes_label()):
        registry.configure_node(engine, node)


def down() -> None:
    """Removes the cluster, and the sandbox with everything in it. Hold the cluster's lock."""
    engine = engines.find()
    if engine is None and not paths.run_folder().exists():
        done("no cluster is up")
        return
    with step(f"removal of cluster{' and engine' if engine and engine.sandboxed else ''} {paths.NAME}", "10 s"):
        if engine is not None and engine.responds():
            _delete(engine)
        engines.down()


def _delete(engine: Engine) -> None:
    """Removes the cluster and the registries, even if they are incomplete."""
    _STATE.unlink(missing_ok=True)
    engine.remove_containers(registry.label())
    engine.remove_containers(nodes_label())


def kubectl(engine: Engine, *words: str) -> list[str]:
    """A kubectl command line that reaches the cluster."""
    return [str(word) for word in engine.in_network(_BIN / "kubectl", "--kubeconfig", KUBECONFIG, *words)]


# Commands that reach the cluster


def environment() -> dict[str, str]:
    """The environment variables that a user of the cluster needs. Raises CommandError if no cluster is up."""
    engine, state = engines.find(), _read_state()
    if engine is None or not state:
        raise CommandError(NO_CLUSTER)
    return {
        **engine.env,
        "PATH": f"{_BIN}:{os.environ['PATH']}",
        "KUBECONFIG": str(KUBECONFIG),
        "KINDLER_GATEWAY": state["gateway"],
        "KINDLER_PUSH": registry.push_address(engine, registry.OPEN),
        "KINDLER_PUSH_PRIVATE": registry.push_address(engine, registry.PRIVATE),
        "KINDLER_IMAGE_TAG": images.tag("kindler"),
        "KINDLER_CLUSTER": paths.NAME,
    }


def in_network(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` where the cluster can be reached: with Docker, it is `command` itself."""
    engine = engines.find()
    return list(command) if engine is None else engines.in_network(engine, command, _RESOLV_CONF)


def exec_in_network(command: Sequence[str]) -> None:
    """Replaces this process by the command, which runs where the cluster can be reached. Raises CommandError."""
    env = shell.environment(environment())
    argv = in_network(command)
    try:
        os.execvpe(argv[0], argv, env)
    except FileNotFoundError:
        raise CommandError(f"{argv[0]}: command not found") from None


# The state of the cluster that is up


def _link_programs(engine: Engine) -> None:
    """Links the pinned kind, kubectl, helm and the engine's docker into a folder that comes first in a user's PATH."""
    _BIN.mkdir(parents=True, exist_ok=True)
    programs = {tool.name: tool.path() for tool in toolbox.CLIENTS} | {"docker": Path(engine.docker)}
    for name, target in programs.items():
        link = _BIN / name
        if not (link.is_symlink() and link.readlink() == target):
            link.unlink(missing_ok=True)
            link.symlink_to(target)


def _read_state() -> dict:  # type: ignore[type-arg]
    try:
        return json.loads(_STATE.read_text())  # type: ignore[no-any-return]
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _write_state(engine: Engine, required: Mapping[str, object]) -> None:
    """Writes the files that `environment` and `in_network` read, and with which settings the cluster was created."""
    search = "default.svc.cluster.local svc.cluster.local cluster.local"
    _RESOLV_CONF.write_text(f"nameserver {kindconfig.DNS_SERVICE}\nsearch {search}\noptions ndots:5\n")
    node = f"{paths.NAME}-control-plane"
    gateway = engine.output("port", node, f"{kindconfig.GATEWAY_NODE_PORT}/tcp").splitlines()[0]
    draft = _STATE.with_suffix(".new")
    draft.write_text(json.dumps({"required": required, "gateway": f"http://{gateway}"}, indent=1))
    draft.rename(_STATE)


def _is_complete(engine: Engine, required: Mapping[str, object]) -> bool:
    """Whether the cluster that is up is the required one and its API server responds."""
    ready = kubectl(engine, "get", "--raw", "/readyz")
    return _read_state().get("required") == required and shell.succeeds(ready, env=engine.env, timeout=10)
