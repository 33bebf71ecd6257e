"""Settings of all processes: reads environment variables into frozen values.

The chart sets every variable named here. The defaults are equal to the chart's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T", int, float)

# The metrics API through which HPAs read Kindler's metrics. auto: the first of external and custom that no other server
# provides.
METRICS_APIS = ("auto", "external", "custom", "none")

LOG_FORMATS = ("auto", "json", "text")  # auto: text if standard output is a terminal, else JSON lines


class SettingsError(ValueError):
    """A variable has an invalid value. The message names the variable, the value and the remedy."""


@dataclass(frozen=True, slots=True)
class Common:
    """Settings of every process.

    `namespaces`: the namespaces to watch; empty means all. `system_namespace`: the namespace of Kindler itself.
    `release`: the installation's name; one cluster can have several installations. `pod_name`: this replica.
    `log_format`: one of LOG_FORMATS.
    """

    namespaces: tuple[str, ...]
    system_namespace: str
    release: str
    pod_name: str
    cluster_domain: str
    log_level: str
    log_format: str


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The source of metrics that are not Kindler's. `url` empty: the cluster's external metrics API.

    `namespace_label`: every query selects only series in which this label is the Endpoint's namespace. Empty: queries
    are not restricted.
    """

    url: str = ""
    namespace_label: str = "namespace"


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Settings of the controller.

    A resource request is its limit multiplied by a ratio (1: request equals limit). `mb_per_vcpu`: a pod gets one vCPU
    per this many MB of memory. `activator_service`: the DNS name that per-endpoint Services point to. `peer_selector`:
    label selector of activator pods in the system namespace. `peer_port`: their peer port. `peer_token_path`: the
    projected token for that port. `resync_seconds`: the controller reconciles each object at least this often.
    `metrics_api`: one of METRICS_APIS. `metrics_certificate`: the cert-manager Certificate of the metrics server, in
    the system namespace. Empty: the metrics server creates its own certificate. `prometheus`: the source of metrics
    that are not Kindler's, used where the controller computes sizes itself.
    """

    common: Common
    activator_service: str
    peer_selector: str
    peer_port: int
    peer_token_path: str
    memory_request_ratio: float
    cpu_request_ratio: float
    mb_per_vcpu: int
    ephemeral_storage_request: str
    pin_image_digest: bool
    resync_seconds: float
    metrics_port: int
    lease_seconds: float
    lease_renew_seconds: float
    lease_retry_seconds: float
    metrics_api: str
    metrics_certificate: str
    prometheus: Prometheus


@dataclass(frozen=True, slots=True)
class ActivatorSettings:
    """Settings of the activator. Times in seconds, sizes in bytes.

    Deadlines:

        client_idle_seconds     between two requests on a connection
        head_seconds            for a whole request head
        body_idle_seconds       without progress of the request body
        connect_seconds         to connect to a pod
        answer_idle_seconds     without progress of a response that has started
        client_write_seconds    without the client reading bytes
        pod_idle_seconds        how long an idle connection to a pod can be reused

    The deadline for the model's response is not here: it is the route's invocation timeout.
    """

    common: Common
    default_namespace: str
    public_port: int
    peer_port: int
    admin_port: int
    body_limit_bytes: int
    held_bytes_limit: int
    head_limit_bytes: int
    header_count_limit: int
    connection_limit: int
    client_idle_seconds: float
    head_seconds: float
    body_idle_seconds: float
    connect_seconds: float
    answer_idle_seconds: float
    client_write_seconds: float
    pod_idle_seconds: float
    probe_interval_seconds: float
    probe_timeout_seconds: float
    shutdown_grace_seconds: float
    access_log: bool


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Settings of the metrics process. Peer settings have the same meaning as the controller's.

    `api_port`: HTTPS, only for the API server. `metrics_port`: plain HTTP, for probes and Prometheus. `service`: the
    DNS name that the API server calls. `config_map`: where the process publishes its certificate. `tls_directory`: has
    tls.crt and tls.key from another issuer. Empty: the process creates its own certificate.
    """

    common: Common
    api_port: int
    metrics_port: int
    service: str
    config_map: str
    tls_directory: str
    peer_selector: str
    peer_port: int
    peer_token_path: str
    prometheus: Prometheus


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def text(self, name: str, default: str | None = None) -> str:
        value = self.environ.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise SettingsError(
                f"{name} is not set: the chart sets it; set it by hand when you run the process yourself"
            )
        return default

    def number(self, name: str, default: T, kind: Callable[[str], T], low: float, high: float) -> T:
        raw = self.environ.get(name, "").strip()
        if not raw:
            return default
        try:
            value = kind(raw)
        except ValueError:
            raise SettingsError(f"{name}={raw!r} is not a number: use {low:g} to {high:g}") from None
        if not low <= value <= high:
            raise SettingsError(f"{name}={raw} is out of range: use {low:g} to {high:g}")
        return value

    def size(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if re.fullmatch(r"[1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)?", value):
            return value
        raise SettingsError(f"{name}={value!r} is not a size: use a whole number of bytes, or one with a unit, as 64Mi")

    def url(self, name: str) -> str:
        value = self.text(name, "").rstrip("/")
        if not value or re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
            return value
        raise SettingsError(
            f"{name}={value!r} is not a URL: use http://host:port or https://host:port, with a path if needed"
        )

    def label(self, name: str, default: str) -> str:
        """A label name of Prometheus; `-` means none."""
        value = self.text(name, default)
        if value == "-" or re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", value):
            return value.strip("-")
        raise SettingsError(
            f"{name}={value!r} is not a label name of Prometheus: use letters, digits and _, or - for none"
        )

    def choice(self, name: str, options: tuple[str, ...]) -> str:
        """One of the options; the first is the default."""
        value = self.text(name, options[0])
        if value in options:
            return value
        raise SettingsError(f"{name}={value!r} is not one of {', '.join(options)}")

    def flag(self, name: str, default: bool) -> bool:
        raw = self.environ.get(name, "").strip().lower()
        if raw in ("", "true", "false"):
            return default if not raw else raw == "true"
        raise SettingsError(f"{name}={raw!r} is neither true nor false")


def _common(read: _Reader) -> Common:
    names = tuple(sorted({n.strip() for n in read.text("KINDLER_NAMESPACES", "").split(",") if n.strip()}))
    return Common(
        namespaces=names,
        system_namespace=read.text("KINDLER_SYSTEM_NAMESPACE", "kindler-system"),
        release=read.text("KINDLER_RELEASE", "kindler"),
        pod_name=read.text("KINDLER_POD_NAME", "local"),
        cluster_domain=read.text("KINDLER_CLUSTER_DOMAIN", "cluster.local"),
        log_level=read.text("KINDLER_LOG_LEVEL", "INFO"),
        log_format=read.choice("KINDLER_LOG_FORMAT", LOG_FORMATS),
    )


def controller_settings(environ: Mapping[str, str]) -> ControllerSettings:
    """Reads the controller's variables; raises SettingsError."""
    read = _Reader(environ)
    common = _common(read)
    return ControllerSettings(
        common=common,
        activator_service=read.text(
            "KINDLER_ACTIVATOR_SERVICE",
            f"{common.release}-activator.{common.system_namespace}.svc.{common.cluster_domain}",
        ),
        peer_selector=read.text("KINDLER_PEER_SELECTOR", "app.kubernetes.io/component=activator"),
        peer_port=read.number("KINDLER_PEER_PORT", 8081, int, 1, 65535),
        peer_token_path=read.text("KINDLER_PEER_TOKEN_PATH", "/var/run/secrets/kindler/peer/token"),
        memory_request_ratio=read.number("KINDLER_MEMORY_REQUEST_RATIO", 1.0, float, 0.01, 1),
        cpu_request_ratio=read.number("KINDLER_CPU_REQUEST_RATIO", 1.0, float, 0.01, 1),
        mb_per_vcpu=read.number("KINDLER_MB_PER_VCPU", 1769, int, 256, 65536),
        ephemeral_storage_request=read.size("KINDLER_EPHEMERAL_STORAGE_REQUEST", "64Mi"),
        pin_image_digest=read.flag("KINDLER_PIN_IMAGE_DIGEST", True),
        resync_seconds=read.number("KINDLER_RESYNC_SECONDS", 300.0, float, 1, 86400),
        metrics_port=read.number("KINDLER_METRICS_PORT", 8082, int, 1, 65535),
        lease_seconds=read.number("KINDLER_LEASE_SECONDS", 15.0, float, 2, 120),
        lease_renew_seconds=read.number("KINDLER_LEASE_RENEW_SECONDS", 10.0, float, 1, 110),
        lease_retry_seconds=read.number("KINDLER_LEASE_RETRY_SECONDS", 2.0, float, 0.1, 60),
        metrics_api=read.choice("KINDLER_METRICS_API", METRICS_APIS),
        metrics_certificate=read.text("KINDLER_METRICS_CERTIFICATE", ""),
        prometheus=Prometheus(
            read.url("KINDLER_PROMETHEUS_URL"), read.label("KINDLER_PROMETHEUS_NAMESPACE_LABEL", "namespace")
        ),
    )


def metrics_settings(environ: Mapping[str, str]) -> MetricsSettings:
    """Reads the metrics process's variables; raises SettingsError."""
    read = _Reader(environ)
    common = _common(read)
    return MetricsSettings(
        common=common,
        api_port=read.number("KINDLER_METRICS_API_PORT", 6443, int, 1, 65535),
        metrics_port=read.number("KINDLER_METRICS_PORT", 8082, int, 1, 65535),
        service=read.text("KINDLER_METRICS_SERVICE", f"{common.release}-metrics.{common.system_namespace}.svc"),
        config_map=read.text("KINDLER_METRICS_CONFIGMAP", f"{common.release}-metrics"),
        tls_directory=read.text("KINDLER_TLS_DIRECTORY", ""),
        peer_selector=read.text("KINDLER_PEER_SELECTOR", "app.kubernetes.io/component=activator"),
        peer_port=read.number("KINDLER_PEER_PORT", 8081, int, 1, 65535),
        peer_token_path=read.text("KINDLER_PEER_TOKEN_PATH", "/var/run/secrets/kindler/peer/token"),
        prometheus=Prometheus(
            read.url("KINDLER_PROMETHEUS_URL"), read.label("KINDLER_PROMETHEUS_NAMESPACE_LABEL", "namespace")
        ),
    )


def activator_settings(environ: Mapping[str, str]) -> ActivatorSettings:
    """Reads the activator's variables; raises SettingsError."""
    read = _Reader(environ)

    def seconds(name: str, default: float, low: float = 0.01, high: float = 86400) -> float:
        return read.number(name, default, float, low, high)

    return ActivatorSettings(
        common=_common(read),
        default_namespace=read.text("KINDLER_DEFAULT_NAMESPACE", "default"),
        public_port=read.number("KINDLER_PUBLIC_PORT", 8080, int, 1, 65535),
        peer_port=read.number("KINDLER_PEER_PORT", 8081, int, 1, 65535),
        admin_port=read.number("KINDLER_ADMIN_PORT", 8082, int, 1, 65535),
        body_limit_bytes=read.number("KINDLER_BODY_LIMIT_BYTES", 4 * 1024 * 1024, int, 1, 2**40),
        held_bytes_limit=read.number("KINDLER_HELD_BYTES_LIMIT", 256 * 1024 * 1024, int, 0, 2**40),
        head_limit_bytes=read.number("KINDLER_HEAD_LIMIT_BYTES", 32 * 1024, int, 1024, 2**20),
        header_count_limit=read.number("KINDLER_HEADER_COUNT_LIMIT", 64, int, 8, 1000),
        connection_limit=read.number("KINDLER_CONNECTION_LIMIT", 10000, int, 1, 10**6),
        client_idle_seconds=seconds("KINDLER_CLIENT_IDLE_SECONDS", 75),
        head_seconds=seconds("KINDLER_HEAD_SECONDS", 10),
        body_idle_seconds=seconds("KINDLER_BODY_IDLE_SECONDS", 30),
        connect_seconds=seconds("KINDLER_CONNECT_SECONDS", 5),
        answer_idle_seconds=seconds("KINDLER_ANSWER_IDLE_SECONDS", 60),
        client_write_seconds=seconds("KINDLER_CLIENT_WRITE_SECONDS", 60),
        pod_idle_seconds=seconds("KINDLER_POD_IDLE_SECONDS", 1),
        probe_interval_seconds=seconds("KINDLER_PROBE_INTERVAL_SECONDS", 0.015, 0.001, 10),
        probe_timeout_seconds=seconds("KINDLER_PROBE_TIMEOUT_SECONDS", 2),
        shutdown_grace_seconds=seconds("KINDLER_SHUTDOWN_GRACE_SECONDS", 90, 0),
        access_log=read.flag("KINDLER_ACCESS_LOG", False),
    )
