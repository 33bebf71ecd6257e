"""The pod of a model: what the user said, and everything that the user need not think of (Pod Security "restricted", draining, a start without a cold probe).

Made once per revision and kept with it: other settings take effect with the next revision.
"""

from __future__ import annotations

from typing import Any, Final

from kindler.api import names
from kindler.api.settings import ControllerSettings
from kindler.core.endpoint.revision import PodShape

EPHEMERAL_STORAGE_LIMIT: Final = "5Gi"
GRACE_BEYOND_INVOCATION: Final = 30  # seconds after the hook for the program's own end
AWAY_SECONDS: Final = 30  # a pod on a node that does not answer is replaced after this
PING_TIMEOUT: Final = 2  # seconds, SageMaker's
WRITABLE: Final = "/tmp"


def pod_spec(shape: PodShape, settings: ControllerSettings) -> dict[str, Any]:
    """The PodSpec, quantities in canonical form (as the API server stores them)."""
    away = [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": AWAY_SECONDS,
        }
        for state in ("not-ready", "unreachable")
    ]
    secrets = (
        {"imagePullSecrets": [{"name": name} for name in shape.image_pull_secrets]} if shape.image_pull_secrets else {}
    )
    return {
        "terminationGracePeriodSeconds": shape.invocation_timeout + GRACE_BEYOND_INVOCATION,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": shape.run_as_user,
            "runAsGroup": shape.run_as_group,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": away,
        **secrets,
        # Only where nothing else is writable: a volume of any kind makes the kubelet look again after 300 ms, nearly half of a cold start (docs/adr/0002).
        **({"volumes": [{"name": "tmp", "emptyDir": {}}]} if shape.read_only_root_filesystem else {}),
        "containers": [_container(shape, settings)],
    }


def _container(shape: PodShape, settings: ControllerSettings) -> dict[str, Any]:
    probe = {
        "httpGet": {"path": shape.health_path, "port": shape.port},
        "periodSeconds": 1,
        "timeoutSeconds": PING_TIMEOUT,
    }
    words = {k: list(v) for k, v in (("command", shape.command), ("args", shape.args)) if v}
    return {
        "name": names.CONTAINER,
        "image": shape.image,
        **words,
        "env": _environment(shape),
        "ports": [{"containerPort": shape.port, "name": "http"}],
        "resources": _resources(shape, settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": shape.read_only_root_filesystem,
        },
        "startupProbe": probe | {"failureThreshold": shape.startup_timeout},
        "lifecycle": {"preStop": _drain(shape)},
        **({"volumeMounts": [{"name": "tmp", "mountPath": WRITABLE}]} if shape.read_only_root_filesystem else {}),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _environment(shape: PodShape) -> list[dict[str, str]]:
    """The Model's, to the letter: Kubernetes would expand $(NAME). HOME is writable unless the Model says otherwise."""
    said = {"HOME": WRITABLE} | dict(shape.environment)
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in said.items()]


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
    """The hook that keeps a pod until no request needs it: see the drain script for how, `Sleep` for images without a shell."""
    if shape.drain == "Sleep":
        return {"sleep": {"seconds": shape.invocation_timeout}}
    return {"exec": {"command": ["/bin/sh", "-c", drain_script(shape.port, shape.invocation_timeout)]}}


def drain_script(port: int, seconds: int) -> str:
    """Plain sh: waits 1 s (the activator sees the pod go by then), then until no connection is established on the port.

    /proc/net/tcp lists the address as HEX:PORT and the state 01 for established, with the other end's address between them. It is looked at five times for
    each of `seconds`; where a look is slow (whole seconds) that takes longer, and the grace period is the bound. A `sleep` that knows no fractions waits
    whole seconds; an image without any looks on and on, since ending would cut a request off; quietly, for the kubelet keeps what a hook says.

    The file must be read in one go: bash's `read` seeks back behind each line, the kernel counts its sockets anew for that, and while others close a line is
    passed over (26 of 200 looks under load). `$(<file)` is that one go, and nothing at all in a plain sh, whose `read` never seeks.
    """
    return (
        f'busy() {{ a= b= all=$(<$1); for c in $all; do case $a/$c in *:{port:04X}/01) return 0;; esac; a=$b b=$c; done; [ -n "$all" ] && return 1; '
        f"while read -r _ a _ c _; do case $a/$c in *:{port:04X}/01) return 0;; esac; done <$1; return 1; }}; sleep 1; n=0; "
        f"while [ $n -lt {seconds * 5} ] && {{ busy /proc/net/tcp || busy /proc/net/tcp6; }} 2>/dev/null; "
        "do n=$((n + 1)); { sleep 0.2 || sleep 1; } 2>/dev/null || n=0; done"
    )
