"""What a model pod's own status says, in words for a person: where it is in its life, and what is wrong with it.

Read by the controller (status of the Endpoint) and the activator (places, answers to those who are held), so that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kindler.api import names
from kindler.core.common.timestamps import parse_timestamp

# A container that ended this often without ever having been ready will not mend itself: the kubelet's first restart comes at once, so this is the third end.
REPEATED: Final = 2
END_MARGIN: Final = 120  # seconds that a container may take to end
_DETAIL_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class PodFailure:
    """Why a pod does not serve. `reason` is one CamelCase word, `message` a sentence with cause and remedy.

    `final`: it can never start by itself. What is not final may still heal (a node is added, a quota is raised, a first pull failed).
    """

    reason: str
    message: str
    final: bool


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One model pod. Times are epoch seconds; None = has not happened, or is not known.

    `started`: since when its container runs now (None while it does not run). `ready`: the kubelet's word; the first True means that the health path
    answered. `ended`: for good (evicted, lost with its node); its ReplicaSet has made another, and it may lie about for long. `ip` may be reused by
    another pod: `uid` tells them apart. `image_id` is what the runtime resolved the image to, empty before.
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
    """The facts of a core/v1 Pod as the API server answers it (JSON). `now` in epoch seconds: a pod that says nothing for too long is in trouble."""
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
        deletion_cost=_cost(meta.get("annotations") or {}),
        failure=None if ready or deleting else _failure(pod, conditions, container, now),
        image_id=container.get("imageID") or "",
        ended=status.get("phase") in ("Failed", "Succeeded"),
    )


def pool_failure(replica_set: Mapping[str, Any]) -> PodFailure | None:
    """Why a ReplicaSet cannot create its pods (quota, Pod Security, an admission webhook), or None."""
    for condition in (replica_set.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            detail = _short(condition.get("message"))
            quota = "exceeded quota" in detail
            return _said("QuotaExceeded" if quota else "FailedCreate", detail=detail)
    return None


# reason -> (may it never start by itself?, the sentence). ENDED rows become final when they happened repeatedly.
_ENDED = None
_UNPULLED = "The image {image} cannot be pulled: {detail}. Make sure that it exists and that the Model's imagePullSecrets allow to pull it."
_SENTENCES: Final[dict[str, tuple[bool | None, str]]] = {
    "ErrImagePull": (False, _UNPULLED),
    "ImagePullBackOff": (True, _UNPULLED),
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
        "The container cannot be configured: {detail}. Mend what it names, or create a Model without it.",
    ),
    "CreateContainerError": (
        False,
        "The container cannot be created: {detail}. Check the Model's command and args, and the node.",
    ),
    "RunContainerError": (
        _ENDED,
        "The container's program cannot be started: {detail}. Check the Model's command and args and the image's entry point.",
    ),
    "CrashLoopBackOff": (
        _ENDED,
        "The container ended with exit code {code} before it answered {path}. Read its log: {log} --previous.",
    ),
    "OOMKilled": (
        _ENDED,
        "The container needed more than its {memory} of memory and was killed. Choose a larger memorySizeInMB.",
    ),
    "PingFailing": (
        _ENDED,
        "The container did not answer {path} on port {port} within {seconds} s of its start. Read its log: {log}.",
    ),
    "Unschedulable": (False, "No node has room for the pod: {detail}. Add nodes, or choose a smaller memorySizeInMB."),
    "PodFailed": (False, "The pod ended on its node: {detail}. It is replaced."),
    "QuotaExceeded": (
        False,
        "A ResourceQuota of the namespace leaves no room: {detail}. Raise it, or choose a smaller memorySizeInMB.",
    ),
    "FailedCreate": (False, "The cluster refuses to create pods: {detail}. Mend what it names."),
}
_ALIAS: Final = {"ContainerCannotRun": "RunContainerError", "StartError": "RunContainerError"}


def _said(reason: str, repeated: bool = False, **words: Any) -> PodFailure:
    final, sentence = _SENTENCES[reason]
    return PodFailure(reason, sentence.format(**words), repeated if final is None else final)


def _failure(
    pod: Mapping[str, Any], conditions: Mapping[str, Any], container: Mapping[str, Any], now: float
) -> PodFailure | None:
    """The first of these that holds: ended on its node, no node, waiting for a reason, ended before, silent for too long."""
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return _said("PodFailed", detail=_short(status.get("message") or status.get("reason") or "phase Failed"))
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return _said("Unschedulable", detail=_short(scheduled.get("message")))
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") in _SENTENCES and waiting["reason"] not in ("CrashLoopBackOff", "RunContainerError"):
        return _said(
            waiting["reason"],
            image=_spec(pod).get("image", ""),
            detail=_short(waiting.get("message") or waiting["reason"]),
        )
    return _ended(pod, container) or _silent(pod, container, now)


def _ended(pod: Mapping[str, Any], container: Mapping[str, Any]) -> PodFailure | None:
    """A container that ended and has not been ready since, also while it runs again."""
    state = container.get("state") or {}
    end = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    if not end:
        return None
    words = _words(pod) | {"code": end.get("exitCode"), "detail": _short(end.get("message") or end.get("reason"))}
    reason = _ALIAS.get(end.get("reason", ""), end.get("reason", ""))
    began, ended = parse_timestamp(end.get("startedAt")), parse_timestamp(end.get("finishedAt"))
    ran = ended - began if began is not None and ended is not None else 0.0
    # The kubelet ends a container whose startupProbe failed, from a second before its time is over (until twice that, where each ping took its 2 s, and the
    # hook and the grace after it): the status does not say so, only the time does. What ran for longer has answered, and may again.
    longest = 2 * words["seconds"] + END_MARGIN
    if reason not in ("OOMKilled", "RunContainerError"):
        reason = "PingFailing" if 0 < words["seconds"] - 2 <= ran <= longest else "CrashLoopBackOff"
    served = ran > longest > END_MARGIN
    return _said(reason, container.get("restartCount", 0) >= REPEATED and not served, **words)


def _silent(pod: Mapping[str, Any], container: Mapping[str, Any], now: float) -> PodFailure | None:
    started = parse_timestamp(((container.get("state") or {}).get("running") or {}).get("startedAt"))
    words = _words(pod)
    if started is None or container.get("started") or words["seconds"] <= 0 or now - started < words["seconds"]:
        return None
    return _said("PingFailing", False, **words)


def _words(pod: Mapping[str, Any]) -> dict[str, Any]:
    """What sentences about a running container name. `seconds`: how long its startupProbe allows, 0 when it has none."""
    spec = _spec(pod)
    probe = spec.get("startupProbe") or {}
    get = probe.get("httpGet") or {}
    labels = pod["metadata"].get("labels") or {}
    return {
        "log": f"kubectl logs -l {names.LABEL_ENDPOINT}={labels.get(names.LABEL_ENDPOINT, '')}",  # a pod's name would soon be another's
        "path": get.get("path", "/ping"),
        "port": get.get("port", ""),
        "memory": ((spec.get("resources") or {}).get("limits") or {}).get("memory", "limit"),
        "seconds": probe.get("periodSeconds", 1) * probe.get("failureThreshold", 0),
    }


def _spec(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    return next((c for c in containers if c.get("name") == names.CONTAINER), containers[0])


def _container_status(status: Mapping[str, Any]) -> Mapping[str, Any]:
    statuses = status.get("containerStatuses") or [{}]
    return next((c for c in statuses if c.get("name") == names.CONTAINER), statuses[0])


def _cost(annotations: Mapping[str, str]) -> int:
    try:
        return int(annotations.get(names.ANNOTATION_DELETION_COST, "0"))
    except ValueError:
        return 0


def _short(text: str | None) -> str:
    """One line without its full stop, short enough for a status."""
    line = " ".join((text or "no details given").split()).rstrip(".")
    return line if len(line) <= _DETAIL_LIMIT else line[: _DETAIL_LIMIT - 1] + "…"
