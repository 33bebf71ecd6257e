"""The pod of a model: what the user specified, and everything that the user need not specify.

Kindler adds Pod Security "restricted", draining, and a probe every second, which detects a start at once. The pod spec
is rendered once per revision and stored with it. So changed settings take effect with the next revision.
"""

from __future__ import annotations

from typing import Any, Final

from kindler.api import names
from kindler.api.settings import ControllerSettings
from kindler.core.endpoint.revision import PodShape

EPHEMERAL_STORAGE_LIMIT: Final = "5Gi"
GRACE_BEYOND_INVOCATION: Final = 30  # seconds after the preStop hook in which the program can shut down
NODE_LOST_SECONDS: Final = 30  # a pod on a node that does not respond is replaced after this time
PING_TIMEOUT: Final = 2  # seconds, as in SageMaker
WRITABLE: Final = "/tmp"


def pod_spec(shape: PodShape, settings: ControllerSettings) -> dict[str, Any]:
    """The PodSpec, with quantities in canonical form (as the API server stores them)."""
    tolerations = [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": NODE_LOST_SECONDS,
        }
        for state in ("not-ready", "unreachable")
    ]
    secrets = (
        {"imagePullSecrets": [{"name": name} for name in shape.image_pull_secrets]} if shape.image_pull_secrets else {}
    )
    return {
        "terminationGracePeriodSeconds": shape.invocation_timeout_in_seconds + GRACE_BEYOND_INVOCATION,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": shape.run_as_user,
            "runAsGroup": shape.run_as_group,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": tolerations,
        **secrets,
        # The volume exists only if no other directory is writable. If a pod has a volume, the kubelet waits 300 ms
        # until it checks again whether it is mounted, which is nearly half of a cold start (docs/adr/0002).
        **({"volumes": [{"name": "tmp", "emptyDir": {}}]} if shape.read_only_root_filesystem else {}),
        "containers": [_container(shape, settings)],
    }


def _container(shape: PodShape, settings: ControllerSettings) -> dict[str, Any]:
    probe = {
        "httpGet": {"path": shape.health_path, "port": shape.port},
        "periodSeconds": 1,
        "timeoutSeconds": PING_TIMEOUT,
    }
    command = {k: list(v) for k, v in (("command", shape.command), ("args", shape.args)) if v}
    return {
        "name": names.CONTAINER,
        "image": shape.image,
        **command,
        "env": _environment(shape),
        "ports": [{"containerPort": shape.port, "name": "http"}],
        "resources": _resources(shape, settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": shape.read_only_root_filesystem,
        },
        "startupProbe": probe | {"failureThreshold": shape.startup_timeout_in_seconds},
        "lifecycle": {"preStop": _drain(shape)},
        **({"volumeMounts": [{"name": "tmp", "mountPath": WRITABLE}]} if shape.read_only_root_filesystem else {}),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _environment(shape: PodShape) -> list[dict[str, str]]:
    """The Model's variables, escaped, because Kubernetes would expand $(NAME).

    HOME is a writable directory, unless the Model sets HOME.
    """
    variables = {"HOME": WRITABLE} | dict(shape.environment)
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in variables.items()]


def _resources(shape: PodShape, settings: ControllerSettings) -> dict[str, Any]:
    cpu = 1000 * shape.memory_size_in_mb / settings.mb_per_vcpu
    memory = shape.memory_size_in_mb
    return {
        "requests": {
            "memory": _mebibytes(memory * settings.memory_request_ratio),
            "cpu": _millis(cpu * settings.cpu_request_ratio),
            "ephemeral-storage": settings.ephemeral_storage_request,
        },
        "limits": {"memory": _mebibytes(memory), "cpu": _millis(cpu), "ephemeral-storage": EPHEMERAL_STORAGE_LIMIT},
    }


def _mebibytes(size: float) -> str:
    whole = max(1, round(size))
    return f"{whole // 1024}Gi" if whole % 1024 == 0 else f"{whole}Mi"


def _millis(cpu: float) -> str:
    whole = max(1, round(cpu))
    return f"{whole // 1000}" if whole % 1000 == 0 else f"{whole}m"


def _drain(shape: PodShape) -> dict[str, Any]:
    """The preStop hook that keeps a pod until no request needs it. `Sleep` is used for images without a shell."""
    if shape.drain == "Sleep":
        return {"sleep": {"seconds": shape.invocation_timeout_in_seconds}}
    return {"exec": {"command": ["/bin/sh", "-c", drain_script(shape.port, shape.invocation_timeout_in_seconds)]}}


def drain_script(port: int, seconds: int) -> str:
    """A script for a plain sh. It waits 1 s, and then until no connection is established on the port.

    During the 1 s the activator sees that the pod is being deleted.

    A line of /proc/net/tcp contains the local address as HEX:PORT, the remote address, and the state, which is 01 for
    an established connection. The script reads the file five times for each of `seconds`. If one read takes several
    seconds, the script takes longer, and the grace period limits it. If `sleep` accepts no fractions, the script waits
    whole seconds. If the image has no `sleep`, the script polls without pause and without end, because its end would
    interrupt a request. It prints nothing, because the kubelet stores the output of a hook.

    The file must be read in one read. bash's `read` seeks back after each line. Then the kernel lists the sockets
    again. If a socket has closed in the meantime, `read` skips a line (in 26 of 200 reads under load). In bash,
    `$(<file)` reads the whole file at once. In a plain sh, `$(<file)` returns nothing. There the script uses `read`,
    which never seeks in that shell.
    """
    return (
        "busy() { a= b= all=$(<$1); "
        f"for c in $all; do case $a/$c in *:{port:04X}/01) return 0;; esac; a=$b b=$c; done; "
        '[ -n "$all" ] && return 1; '
        f"while read -r _ a _ c _; do case $a/$c in *:{port:04X}/01) return 0;; esac; done <$1; return 1; }}; "
        "sleep 1; n=0; "
        f"while [ $n -lt {seconds * 5} ] && {{ busy /proc/net/tcp || busy /proc/net/tcp6; }} 2>/dev/null; "
        "do n=$((n + 1)); { sleep 0.2 || sleep 1; } 2>/dev/null || n=0; done"
    )
