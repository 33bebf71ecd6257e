"""Which entry of spec.autoscaling applies to the variant that serves. Only this module decides it.

the entries are for     an update renames the variant to   entry that applies   blocker
-------------------     --------------------------------   ------------------   -------
the serving variant     any name                           that entry           names the other entries, if any
one other variant       that name, or not known yet        that other entry     none
one other variant       another name, or no update         none                 names it: it does not exist
several other variants  any name                           none                 names them: they do not exist
no variant              any name                           none                 none

The reason for the second row: when an update renames the variant, the user changes spec.autoscaling in the same write.
The new entry already applies to the revision that still serves, so scaling does not pause during the update.
"""

from __future__ import annotations

from collections.abc import Sequence

from kindler.api import conditions
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.objects import Json


def entry_for(endpoint: Json, variant: str, next_variant: str | None) -> tuple[Json | None, Blocker | None]:
    """The entry of spec.autoscaling (JSON) that applies to `variant`, and a blocker about entries of other variants.

    `variant`: the variant that serves. `next_variant`: its name after the update in progress; None if that name is not
    known, or if no update is in progress.
    """
    entries: Sequence[Json] = endpoint["spec"].get("autoscaling") or ()
    chosen = next((e for e in entries if e.get("variantName") == variant), None)
    others = sorted(str(e.get("variantName")) for e in entries if e.get("variantName") != variant)
    if not others:
        return chosen, None
    if (
        chosen is None
        and len(entries) == 1
        and _updates(endpoint)
        and next_variant in (None, entries[0].get("variantName"))
    ):
        return entries[0], None
    names = ", ".join(f"'{name}'" for name in others)
    remedy = "remove what is for other variants" if chosen else f"write variantName: {variant}"
    text = (
        f"spec.autoscaling names the variant {names}, and that of the endpoint configuration is '{variant}': {remedy}."
    )
    return chosen, Blocker(BlockerKind.STALLED, conditions.INVALID_AUTOSCALING, text, blocking=False)


def next_variant_of(status: Json) -> str | None:
    """The variant's name after the update in progress, from `status`; None if `status` does not contain it."""
    variants: Sequence[Json] = (status.get("pendingDeploymentSummary") or {}).get("productionVariants") or ()
    return next((str(variant["variantName"]) for variant in variants if "variantName" in variant), None)


def _updates(endpoint: Json) -> bool:
    """Whether the Endpoint serves another EndpointConfig than its spec names."""
    serving = (endpoint.get("status") or {}).get("endpointConfigName")
    return serving not in (None, endpoint["spec"].get("endpointConfigName"))
