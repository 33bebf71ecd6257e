"""Which object owns a SageMaker name, and what an Endpoint refers to.

The oldest object with a name owns it. References are by name, within one namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kindler.api import conditions
from kindler.api.base import unreadable
from kindler.api.endpoint import EndpointSpec
from kindler.api.endpointconfig import EndpointConfigSpec
from kindler.api.model import ModelSpec
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.objects import Json
from kindler.core.endpoint.revision import limits_of, pod_shape_of
from kindler.core.endpoint.state import ResolvedRefs

ByName = Callable[[str], Sequence[Json]]  # all objects of one kind and namespace that claim this SageMaker name

_NAME_FIELD = {"Model": "modelName", "EndpointConfig": "endpointConfigName", "Endpoint": "endpointName"}
# The words of SageMaker's errors: "Could not find model …", "Cannot create already existing endpoint …".
_SAGEMAKER_KIND = {"Model": "model", "EndpointConfig": "endpoint configuration", "Endpoint": "endpoint"}
_MISSING = {"Model": conditions.MODEL_NOT_FOUND, "EndpointConfig": conditions.ENDPOINT_CONFIG_NOT_FOUND}


def sagemaker_name(kind: str, raw: Json) -> str:
    """The name that the object claims for its kind in its namespace. Names of Endpoints are case-insensitive."""
    spec = raw.get("spec") or {}
    name = str(spec.get(_NAME_FIELD[kind]) or raw["metadata"]["name"])
    return name.casefold() if kind == "Endpoint" else name


def name_owner(candidates: Sequence[Json]) -> Json | None:
    """The oldest object, by creationTimestamp and then uid; None if there is no candidate."""
    return min(
        candidates,
        key=lambda raw: (raw["metadata"].get("creationTimestamp", ""), raw["metadata"].get("uid", "")),
        default=None,
    )


def name_conflict(kind: str, raw: Json, candidates: Sequence[Json]) -> Blocker | None:
    """The blocker of an object whose name belongs to an older object; None if the object owns its name."""
    older = name_owner(candidates)
    if older is None or older["metadata"]["uid"] == raw["metadata"]["uid"]:
        return None
    shown = (raw.get("spec") or {}).get(_NAME_FIELD[kind]) or raw["metadata"]["name"]
    message = (
        f'Cannot create already existing {_SAGEMAKER_KIND[kind]} "{shown}": '
        f"the {kind} {older['metadata']['name']}, which is older, has this name. "
        f"Delete one of the two, or give this one another {_NAME_FIELD[kind]}."
    )
    return Blocker(BlockerKind.STALLED, conditions.NAME_TAKEN, message)


def resolve_refs(endpoint: Json, endpoints: ByName, configs: ByName, models: ByName) -> ResolvedRefs | Blocker:
    """What the Endpoint refers to, or the blocker if that cannot be resolved."""
    if blocker := name_conflict("Endpoint", endpoint, endpoints(sagemaker_name("Endpoint", endpoint))):
        return blocker
    namespace = endpoint["metadata"]["namespace"]
    try:
        config_name = EndpointSpec.parse(endpoint["spec"]).endpoint_config_name
        raw_config = name_owner(configs(config_name))
        if raw_config is None:
            return _missing("EndpointConfig", config_name, namespace)
        variant = EndpointConfigSpec.parse(raw_config["spec"]).variant
        raw_model = name_owner(models(variant.model_name))
        if raw_model is None:
            return _missing("Model", variant.model_name, namespace)
        shape = pod_shape_of(ModelSpec.parse(raw_model["spec"]), variant)
    except (ValueError, KeyError) as error:
        return Blocker(
            BlockerKind.STALLED,
            conditions.INVALID,
            f"The specification cannot be read: {unreadable(error)}. Correct it.",
        )
    sources = tuple(
        f"{raw['metadata']['uid']}/{raw['metadata'].get('generation', 0)}" for raw in (endpoint, raw_config, raw_model)
    )
    return ResolvedRefs(config_name, shape, limits_of(variant), sources)


def invalid_spec(kind: str, raw: Json) -> Blocker | None:
    """Why a Model or EndpointConfig cannot be accepted, or None.

    An object that cannot be accepted was stored before the rule existed that now rejects it.
    """
    try:
        if kind == "Model":
            _ = ModelSpec.parse(raw["spec"]).container
        else:
            _ = EndpointConfigSpec.parse(raw["spec"]).variant
    except (ValueError, KeyError) as error:
        return Blocker(
            BlockerKind.STALLED,
            conditions.INVALID,
            f"The specification cannot be read: {unreadable(error)}. Create a new {kind}.",
        )
    return None


def _missing(kind: str, name: str, namespace: str) -> Blocker:
    message = (
        f'Could not find {_SAGEMAKER_KIND[kind]} "{name}" in namespace {namespace}. '
        f"Create the {kind}: Kindler then continues automatically."
    )
    return Blocker(BlockerKind.WAITING, _MISSING[kind], message)
