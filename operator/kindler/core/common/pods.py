"""Reads the state of a model pod from its status: the phase of its life, and why it does not serve.

Both the controller and the activator use this module. So the status of the Endpoint and the responses to held requests
report the same failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kindler.api import names
from kindler.core.common.deadlines import startup_deadline
from kindler.core.common.timestamps import parse_timestamp

# If a container was restarted this often, and its last run ended before it was ready, it will not recover by itself.
REPEATED: Final = 2
END_MARGIN: Final = 120  # seconds that a container may take to end
_DETAIL_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class PodFailure:
    """Why a pod does not serve. `reason` is one CamelCase word, `message` a sentence with cause and remedy.

    `final`: True if the pod can never start by itself. Else it may still recover, for example when somebody adds a node
    or raises a quota, or when the next pull of the image succeeds.
    """

    reason: str
    message: str
    final: bool


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One model pod. Times are epoch seconds. None: the event has not happened, or its time is not known.

    `started`: when the running container started (None while no container runs). `ready`: the pod's Ready condition;
    the first True means that the health path responded. `ended`: the pod has ended and cannot start again (evicted, or
    lost with its node); its ReplicaSet has created another pod, and this pod's object may exist for a long time.
    Another pod may get the same `ip` later; `uid` distinguishes the two pods. `image_id` is the repository and
    digest to which the runtime resolved the image; empty until the runtime has resolved the image.
    """

    name: str
    uid: str
    endpoint: str
    pool: str
    revision: str
    ip: str | None
    created: float
    scheduled: float | None
    started: float | None
    ready: bool
    deleting: bool
    deletion_cost: int
    failure: PodFailure | None
    image_id: str
    ended: bool = False


def read(pod: Mapping[str, Any], now: float) -> PodFacts:
    """The facts of a core/v1 Pod (JSON of the API server). `now`: epoch seconds, to decide if a start is overdue."""
    meta, status = pod["metadata"], pod.get("status") or {}
    labels = meta.get("labels") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    container = _container_status(status)
    state = container.get("state") or {}
    ready = conditions.get("Ready", {}).get("status") == "True"
    deleting = meta.get("deletionTimestamp") is not None
    scheduled = conditions.get("PodScheduled", {})
    return PodFacts(
        name=meta["name"],
        uid=meta.get("uid", ""),
        endpoint=labels.get(names.LABEL_ENDPOINT, ""),
        pool=labels.get(names.LABEL_POOL, ""),
        revision=labels.get(names.LABEL_REVISION, ""),
        ip=status.get("podIP") or None,
        created=parse_timestamp(meta.get("creationTimestamp")) or 0.0,
        scheduled=parse_timestamp(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        started=parse_timestamp((state.get("running") or {}).get("startedAt")),
        ready=ready,
        deleting=deleting,
        deletion_cost=_deletion_cost(meta.get("annotations") or {}),
        failure=None if ready or deleting else _failure(pod, conditions, container, now),
        image_id=container.get("imageID") or "",
        ended=status.get("phase") in ("Failed", "Succeeded"),
    )


def pool_failure(replica_set: Mapping[str, Any]) -> PodFailure | None:
    """Why a ReplicaSet cannot create its pods, for example because of a quota; None if it can create them."""
    for condition in (replica_set.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            detail = _short(condition.get("message"))
            quota = "exceeded quota" in detail
            return _failure_of("QuotaExceeded" if quota else "FailedCreate", detail=detail)
    return None


# reason -> (final, the sentence for the user). A row with _IF_REPEATED is final only after REPEATED restarts.
_IF_REPEATED = None
_NOT_PULLED = (
    "The image {image} cannot be pulled: {detail}. "
    "Make sure that it exists and that the Model's imagePullSecrets allow to pull it."
)
_SENTENCES: Final[dict[str, tuple[bool | None, str]]] = {
    "ErrImagePull": (False, _NOT_PULLED),
    "ImagePullBackOff": (True, _NOT_PULLED),
    "ErrImageNeverPull": (
        True,
        "The image {image} is not on the node and may not be pulled. Load it onto the node, or allow it to be pulled.",
    ),
    "InvalidImageName": (True, "{image} is not a valid image name: {detail}. Create a Model with a valid one."),
    "ImageInspectError": (
        True,
        "The image {image} cannot be inspected on the node: {detail}. Push it again, or remove it from the node.",
    ),
    "RegistryUnavailable": (
        False,
        "The registry of {image} does not answer: {detail}. Make sure that the nodes can reach it.",
    ),
    "SignatureValidationFailed": (
        True,
        "The signature of {image} was refused: {detail}. Use a signed image, or change the node's policy.",
    ),
    "CreateContainerConfigError": (
        True,
        "The container cannot be configured: {detail}. Fix the cause above, or create a Model without it.",
    ),
    "CreateContainerError": (
        False,
        "The container cannot be created: {detail}. Check the Model's command and args, and the node.",
    ),
    "RunContainerError": (
        _IF_REPEATED,
        "The container's program cannot be started: {detail}. "
        "Check the Model's command and args and the image's entry point.",
    ),
    "CrashLoopBackOff": (
        _IF_REPEATED,
        "The container ended with exit code {code} before it answered {path}. Read its log: {log} --previous.",
    ),
    "OOMKilled": (
        _IF_REPEATED,
        "The container needed more than its {memory} of memory and was killed. Choose a larger memorySizeInMB.",
    ),
    "PingFailing": (
        _IF_REPEATED,
        "The container did not answer {path} on port {port} within {seconds} s of its start. Read its log: {log}.",
    ),
    "Unschedulable": (False, "No node has room for the pod: {detail}. Add nodes, or choose a smaller memorySizeInMB."),
    "PodFailed": (False, "The pod ended on its node: {detail}. Kubernetes replaces it."),
    "QuotaExceeded": (
        False,
        "A ResourceQuota of the namespace leaves no room: {detail}. Raise it, or choose a smaller memorySizeInMB.",
    ),
    "FailedCreate": (
        False,
        "The cluster refuses to create pods: {detail}. Fix the cause above; Kindler retries automatically.",
    ),
}
_ALIAS: Final = {"ContainerCannotRun": "RunContainerError", "StartError": "RunContainerError"}


def _failure_of(reason: str, repeated: bool = False, **details: Any) -> PodFailure:
    final, sentence = _SENTENCES[reason]
    return PodFailure(reason, sentence.format(**details), repeated if final is None else final)


def _failure(
    pod: Mapping[str, Any], conditions: Mapping[str, Any], container: Mapping[str, Any], now: float
) -> PodFailure | None:
    """The first failure that applies.

    The order: the pod ended on its node; it is unschedulable; its container waits, and the kubelet reports the reason;
    its container ended and has not been ready since; its container has run for too long without a response.
    """
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return _failure_of("PodFailed", detail=_short(status.get("message") or status.get("reason") or "phase Failed"))
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return _failure_of("Unschedulable", detail=_short(scheduled.get("message")))
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") in _SENTENCES and waiting["reason"] not in ("CrashLoopBackOff", "RunContainerError"):
        return _failure_of(
            waiting["reason"],
            image=_container(pod).get("image", ""),
            detail=_short(waiting.get("message") or waiting["reason"]),
        )
    return _ended(pod, container) or _unresponsive(pod, container, now)


def _ended(pod: Mapping[str, Any], container: Mapping[str, Any]) -> PodFailure | None:
    """The failure of a container that ended and has not been ready after that, even if it runs again."""
    state = container.get("state") or {}
    end = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    if not end:
        return None
    details = _details(pod) | {"code": end.get("exitCode"), "detail": _short(end.get("message") or end.get("reason"))}
    reason = _ALIAS.get(end.get("reason", ""), end.get("reason", ""))
    began, ended = parse_timestamp(end.get("startedAt")), parse_timestamp(end.get("finishedAt"))
    ran = ended - began if began is not None and ended is not None else 0.0
    # The kubelet kills a container whose startupProbe failed. It does so at the earliest one second before the startup
    # timeout, and timestamps have whole seconds. At the latest the container ends after twice the timeout (each ping
    # took 2 s), the preStop hook and the grace period. The status does not report the failed probe, so only the
    # container's running time shows it. A container that ran for longer has responded before, and may respond again.
    longest = 2 * details["seconds"] + END_MARGIN
    if reason not in ("OOMKilled", "RunContainerError"):
        reason = "PingFailing" if 0 < details["seconds"] - 2 <= ran <= longest else "CrashLoopBackOff"
    served = ran > longest > END_MARGIN
    return _failure_of(reason, container.get("restartCount", 0) >= REPEATED and not served, **details)


def _unresponsive(pod: Mapping[str, Any], container: Mapping[str, Any], now: float) -> PodFailure | None:
    """The failure of a container that runs, but has not passed its startupProbe in time."""
    started = parse_timestamp(((container.get("state") or {}).get("running") or {}).get("startedAt"))
    details = _details(pod)
    timeout = details["seconds"]
    if started is None or container.get("started") or timeout <= 0 or now < startup_deadline(started, timeout):
        return None
    return _failure_of("PingFailing", False, **details)


def _details(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the sentences about a container. `seconds`: how long its startupProbe lets it start; else 0."""
    spec = _container(pod)
    probe = spec.get("startupProbe") or {}
    get = probe.get("httpGet") or {}
    labels = pod["metadata"].get("labels") or {}
    return {
        # A selector instead of the pod's name, because the pod may be replaced before the user runs the command.
        "log": f"kubectl logs -l {names.LABEL_ENDPOINT}={labels.get(names.LABEL_ENDPOINT, '')}",
        "path": get.get("path", "/ping"),
        "port": get.get("port", ""),
        "memory": ((spec.get("resources") or {}).get("limits") or {}).get("memory", "limit"),
        "seconds": probe.get("periodSeconds", 1) * probe.get("failureThreshold", 0),
    }


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec of the model's container, or of the first container if no container has that name."""
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    return next((c for c in containers if c.get("name") == names.CONTAINER), containers[0])


def _container_status(status: Mapping[str, Any]) -> Mapping[str, Any]:
    statuses = status.get("containerStatuses") or [{}]
    return next((c for c in statuses if c.get("name") == names.CONTAINER), statuses[0])


def _deletion_cost(annotations: Mapping[str, str]) -> int:
    try:
        return int(annotations.get(names.ANNOTATION_DELETION_COST, "0"))
    except ValueError:
        return 0


def _short(text: str | None) -> str:
    """The text as one line without a full stop at its end, shortened to _DETAIL_LIMIT characters."""
    line = " ".join((text or "no details given").split()).rstrip(".")
    return line if len(line) <= _DETAIL_LIMIT else line[: _DETAIL_LIMIT - 1] + "…"
