"""The three kinds as data: names, schemas, printer columns, and the CEL rules that read more than spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kindler.api import names
from kindler.api.base import FORBIDDEN, Block, Rule
from kindler.api.endpoint import EndpointSpec
from kindler.api.endpointconfig import EndpointConfigSpec
from kindler.api.model import ModelSpec
from kindler.api.status import EndpointConfigStatus, EndpointStatus, ModelStatus


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. Columns with `priority` 1 are shown only with -o wide."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `mutable`: the fields of spec that may change; None means all. `rules` can read the whole object."""

    kind: str
    plural: str
    singular: str
    short_name: str
    description: str
    spec: type[Block]
    status: type[Block]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    mutable: frozenset[str] | None = None


_READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether the present spec is in effect.")
_WHY = Column("Reason", '.status.conditions[?(@.type=="Ready")].message', "Why it is ready, or is not.", priority=1)
_USED = Column("Used", ".status.usedBy.count", "How many objects refer to it.", "integer")
_VARIANT = ".spec.productionVariants[0]"
_AGE = Column("Age", ".metadata.creationTimestamp", "Since when it exists.", "date")


def _named_by_metadata(field: str) -> Rule:
    return Rule(
        f"has(self.spec.{field}) || (size(self.metadata.name) <= 63 &&"
        " self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",
        f"metadata.name stands in for an absent spec.{field}, so it must have at most 63 letters, digits and hyphens;"
        f" set spec.{field}, or choose such a name",
    )


_COMPUTED_NAME = "(has({0}.spec.endpointName) ? {0}.spec.endpointName : {0}.metadata.name)"

KINDS: Final = (
    Kind(
        kind="Model",
        plural=names.MODELS,
        singular="model",
        short_name="kmodel",
        description=(
            "A Model says what runs: an image and how to run it. An EndpointConfig refers to it by name. Immutable but"
            " for tags."
        ),
        spec=ModelSpec,
        status=ModelStatus,
        columns=(
            Column("Image", ".spec.primaryContainer.image", "The container's image."),
            _READY,
            _USED,
            _AGE,
            _WHY,
        ),
        rules=(_named_by_metadata("modelName"),),
        mutable=frozenset({"tags"}),
    ),
    Kind(
        kind="EndpointConfig",
        plural=names.ENDPOINT_CONFIGS,
        singular="endpointconfig",
        short_name="kepc",
        description=(
            "An EndpointConfig says how a Model is served: memory and concurrency. An Endpoint refers to it by name."
            " Immutable but for tags."
        ),
        spec=EndpointConfigSpec,
        status=EndpointConfigStatus,
        columns=(
            Column("Model", ".spec.productionVariants[0].modelName", "The Model that is served."),
            Column(
                "Memory",
                ".spec.productionVariants[0].serverlessConfig.memorySizeInMB",
                "Memory of each instance in MB.",
                "integer",
            ),
            Column(
                "Max",
                ".spec.productionVariants[0].serverlessConfig.maxConcurrency",
                "The most requests at the same time.",
                "integer",
            ),
            Column(
                "Provisioned",
                ".spec.productionVariants[0].serverlessConfig.provisionedConcurrency",
                "Requests for which instances are kept ready.",
                "integer",
            ),
            _READY,
            _USED,
            _AGE,
            _WHY,
        ),
        rules=(_named_by_metadata("endpointConfigName"),),
        mutable=frozenset({"tags"}),
    ),
    Kind(
        kind="Endpoint",
        plural=names.ENDPOINTS,
        singular="endpoint",
        short_name="kep",
        description=(
            "An Endpoint is an address that serves the EndpointConfig it names. It sleeps at zero pods and wakes when a"
            " request comes."
        ),
        spec=EndpointSpec,
        status=EndpointStatus,
        columns=(
            Column("Status", ".status.endpointStatus", "SageMaker's word for the endpoint's state."),
            _READY,
            Column("Config", ".status.endpointConfigName", "The EndpointConfig that serves now."),
            Column(
                "Warm", ".status.productionVariants[0].warmInstanceCount", "Pods of the provisioned pool.", "integer"
            ),
            Column("Demand", ".status.productionVariants[0].demandInstanceCount", "Pods on demand.", "integer"),
            Column("Max", ".status.route.maxConcurrency", "The most requests at the same time.", "integer"),
            Column(
                "Provisioned",
                ".status.productionVariants[0].currentServerlessConfig.provisionedConcurrency",
                "Requests for which instances are ready now.",
                "integer",
                priority=1,
            ),
            Column("URL", ".status.url", "Where a client in the cluster posts requests."),
            _AGE,
            _WHY,
        ),
        rules=(
            Rule(
                "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",
                "metadata.name names the endpoint's Service, and must have at most 63 lower-case letters, digits and"
                " hyphens, beginning with a letter; choose such a name, and put another name for SageMaker's clients"
                " into spec.endpointName",
            ),
            Rule(
                f"{_COMPUTED_NAME.format('self')} == {_COMPUTED_NAME.format('oldSelf')}",
                "endpointName is immutable, and absent it is metadata.name: clients know the endpoint by it; create a"
                " new one to rename it",
                FORBIDDEN,
                ".spec.endpointName",
            ),
        ),
    ),
)
