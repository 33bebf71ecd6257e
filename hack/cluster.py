"""The cluster of this checkout: up, down, and running commands where it can be reached."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hack import engine as engines
from hack import images, kindconfig, leftovers, network, nodeimage, paths, registry, shell, toolbox
from hack.engine import Engine
from hack.steps import Trouble, done, step

KUBECONFIG = paths.run() / "kubeconfig"
_STATE = paths.run() / "state.json"  # written last: the cluster is whole
_BIN = paths.run() / "bin"
_GENERATION = "1"  # raise it when clusters that are up must be made anew


def up(*, nodes: int | None = None, fresh: bool = False) -> None:
    """Brings up engine, cluster and registries; what is there already costs nothing. `nodes`: as many as are up, else one. `fresh`: a new cluster in any case.

    Call under the cluster's lock.
    """
    leftovers.note_owner()
    toolbox.ensure(*toolbox.CLIENTS)
    engine = engines.up()
    _link_programs(engine)
    nodes = nodes or _read_state().get("wanted", {}).get("nodes", 1)
    image, built = nodeimage.ensure_image(engine)
    wanted = {"image": image, "nodes": nodes, "generation": _GENERATION}
    if fresh or not _is_whole(engine, wanted):
        _create(engine, image, nodes, built)
    else:
        done(f"cluster: {paths.NAME} is up")
    registry.up(engine)
    _introduce(engine, wanted)


def _link_programs(engine: Engine) -> None:
    """One folder with the programs of the cluster's users; it comes first in their PATH."""
    _BIN.mkdir(parents=True, exist_ok=True)
    programs = {name: toolbox.TOOLS[name].path() for name in toolbox.CLIENTS} | {"docker": Path(engine.docker)}
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


def _is_whole(engine: Engine, wanted: Mapping[str, object]) -> bool:
    state = _read_state()
    return state.get("wanted") == wanted and shell.succeeds(
        kubectl(engine, "get", "--raw", "/readyz"), env=engine.env, timeout=10
    )


def kubectl(engine: Engine, *words: str) -> list[str]:
    """A kubectl command line that reaches the cluster."""
    return [*engine.prefix, str(_BIN / "kubectl"), "--kubeconfig", str(KUBECONFIG), *words]


def _create(engine: Engine, image: str, nodes: int, built: bool) -> None:
    _delete(engine)
    config = kindconfig.render(nodes, own_cni=built, cgroup_v1=engine.cgroup_v1, restricted=engine.restricted)
    file = paths.run() / "kind.json"
    file.write_text(config)
    with step(f"cluster: kind creates {paths.NAME} with {nodes} node{'s' if nodes > 1 else ''}", "30 s"):
        kind = [*engine.prefix, str(_BIN / "kind"), "create", "cluster"]
        options = {"name": paths.NAME, "image": image, "config": str(file), "kubeconfig": str(KUBECONFIG)}
        command = [*kind, *(f"--{name}={value}" for name, value in options.items())]
        shell.run(command, "cluster", env={**engine.env, "PATH": f"{_BIN}:{os.environ['PATH']}"})
        every = network.nodes(kubectl(engine), nodes)
        if engine.own:
            network.close_dns(kubectl(engine))
            network.reach(engine, every)
        if built:
            network.connect(engine, every)
        for what, condition in (("nodes", "Ready"), ("deployment/coredns", "Available")):
            scope = ["--all"] if what == "nodes" else ["--namespace", "kube-system"]
            shell.run(
                kubectl(engine, "wait", what, *scope, f"--for=condition={condition}", "--timeout=180s"),
                "cluster",
                env=engine.env,
            )
        shell.run(
            kubectl(engine, "wait", "--for=create", "serviceaccount/default", "--timeout=60s"),
            "cluster",
            env=engine.env,
        )


def _introduce(engine: Engine, wanted: Mapping[str, object]) -> None:
    """Makes nodes and registries known to each other, and writes down what `run` needs."""
    if _read_state().get("wanted") == wanted:
        return
    for node in engines.containers(engine, engines.nodes_label()):
        registry.introduce(engine, node)
    gateway = shell.output(
        engine.command("port", f"{paths.NAME}-control-plane", f"{kindconfig.GATEWAY_NODE_PORT}/tcp"), env=engine.env
    ).splitlines()[0]
    (paths.run() / "resolv.conf").write_text(
        f"nameserver {kindconfig.DNS_SERVICE}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
    )
    draft = _STATE.with_suffix(".new")
    draft.write_text(json.dumps({"wanted": wanted, "gateway": f"http://{gateway}"}, indent=1))
    draft.rename(_STATE)


def _delete(engine: Engine) -> None:
    """Removes cluster and registries, whole or not."""
    _STATE.unlink(missing_ok=True)
    engines.remove(engine, registry.label())
    engines.remove(engine, engines.nodes_label())


def down() -> None:
    """Removes the cluster, and our own engine with everything in it. Call under the cluster's lock."""
    engine = engines.find()
    if engine is None and not paths.run().exists():
        done("nothing is up")
        return
    with step(f"down: cluster{' and engine' if engine and engine.own else ''} {paths.NAME}", "10 s"):
        if engine is not None and engines.answers(engine):
            _delete(engine)
        engines.down()


def environment() -> dict[str, str]:
    """What a user of the cluster has in the environment beyond the usual; raises Trouble when no cluster is up."""
    engine, state = engines.find(), _read_state()
    if engine is None or not state:
        raise Trouble("no cluster is up: run `make up` first")
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


def inside(command: Sequence[str]) -> list[str]:
    """The command as it must be started to reach the cluster: in our own engine's network, with the cluster's DNS, or as it is."""
    engine = engines.find()
    if engine is None or not engine.own:
        return list(command)
    # A mount of its own for the process and its children: the cluster's DNS answers, and nobody else's does.
    script = 'test ! -e /etc/resolv.conf || mount --bind "$0" /etc/resolv.conf; exec "$@"'
    return [
        *engine.prefix,
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
        str(paths.run() / "resolv.conf"),
        *command,
    ]


def become(command: Sequence[str]) -> None:
    """Turns this process into the command, inside."""
    env = shell.environment(environment())
    words = inside(command)
    try:
        os.execvpe(words[0], words, env)
    except FileNotFoundError:
        raise Trouble(f"{words[0]}: no such command") from None
