"""Every name, label and annotation that Kindler writes or reads. No other module builds names."""

from __future__ import annotations

import hashlib
import re
from typing import Final

GROUP: Final = "serving.kindler.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

MODELS: Final = "models"
ENDPOINT_CONFIGS: Final = "endpointconfigs"
ENDPOINTS: Final = "endpoints"

# Labels of children (ReplicaSets, their pods, Services, ControllerRevisions).
LABEL_ENDPOINT: Final = f"{GROUP}/endpoint"  # metadata.name of the Endpoint
LABEL_REVISION: Final = f"{GROUP}/revision"  # the revision's hash
LABEL_POOL: Final = f"{GROUP}/pool"  # DEMAND or WARM
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "kindler"

DEMAND: Final = "demand"
WARM: Final = "warm"

ANNOTATION_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"

CONTAINER: Final = "model"  # the name of the one container of a model pod

# Field managers. The controller creates a child by POST as CREATOR, and then applies it without `replicas` as APPLIER
# (docs/development.md). So managedFields show who set a pool's size: the controller, the activator, or
# kube-controller-manager for an HPA.
CREATOR: Final = "kindler-create"
APPLIER: Final = "kindler"
SCALER: Final = "kindler-scale"
WAKER: Final = "kindler-activator"

# Audience of the projected ServiceAccount token that a caller sends to the activator's peer port.
PEER_AUDIENCE: Final = "kindler-peer"


def revision_name(endpoint: str, revision: str) -> str:
    """Name of the ControllerRevision that stores the user's settings for this revision."""
    return f"{endpoint}-{revision}"


def pool_name(endpoint: str, revision: str, pool: str) -> str:
    """Name of the ReplicaSet of one pool (DEMAND or WARM) of one revision."""
    return f"{endpoint}-{revision}-{pool}"


def service_name(endpoint: str) -> str:
    """Name of the per-endpoint Service (ExternalName to the activator)."""
    return endpoint


def endpoint_url(endpoint: str, namespace: str) -> str:
    """The URL to which a client in the cluster sends requests."""
    return f"http://{service_name(endpoint)}.{namespace}/invocations"


# The metrics that HPAs read. The metric names are fixed, so that RBAC rules can list them without a wildcard. The
# selector names the endpoint and the policy.
EXTERNAL_METRICS: Final = "external.metrics.k8s.io"
CUSTOM_METRICS: Final = "custom.metrics.k8s.io"
# For the predefined metric type: executions and held requests, spillover included.
METRIC_EXECUTIONS: Final = "concurrent-executions"
# For a customized metric: its value multiplied by the provisioned concurrency that is ready now.
METRIC_CUSTOMIZED: Final = "customized-metric"
LABEL_POLICY: Final = f"{GROUP}/policy"  # its value is a policy_key; selectors use it together with LABEL_ENDPOINT


def autoscaler_name(endpoint: str) -> str:
    """Name of the HorizontalPodAutoscaler of an Endpoint's warm pool."""
    return f"{endpoint}-warm"


def policy_key(policy: str) -> str:
    """A scaling policy's name as a label value: the name itself if it is a valid label value, else a hash of it."""
    if re.fullmatch("[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?", policy):
        return policy
    return hashlib.sha256(policy.encode()).hexdigest()[:32]


def metrics_name(release: str) -> str:
    """The name that the main objects of an installation's metrics server share.

    These are Deployment, Service, ServiceAccount, ClusterRole, and the ConfigMap with its certificates.
    """
    return f"{release}-metrics"
