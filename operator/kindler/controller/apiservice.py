"""Maintains the APIService through which HPAs read Kindler's metrics.

It registers an API group that is free, configures which certificates the API server trusts, and gives the group up if
another server claims it. These steps run every 10 s, and when the metrics servers publish another certificate:
  read      the APIServices of both groups, the certificates, and the ClusterRole that owns the created objects
  choose    the group to register, with core/autoscaling/metrics/apiservice.py
  write     the differences; a write fails if the object has changed since it was read
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from kindler.api import names
from kindler.api.settings import ControllerSettings
from kindler.clients.cluster import (
    API_SERVICES,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    ApiError,
    Cluster,
    Conflict,
    Forbidden,
    Object,
)
from kindler.clients.informer import Informer
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.metrics import apiservice
from kindler.core.autoscaling.metrics.apiservice import ApiServiceChoice, ClusterApiServices, Installation

log = logging.getLogger(__name__)

RESYNC_SECONDS: Final = 10.0
CONFLICT_SECONDS: Final = 0.5  # until the next attempt after a Conflict


class ApiServiceReconciler:
    """`api`: the API in use. `changed` is called when `api` changes after it became known for the first time."""

    def __init__(
        self,
        cluster: Cluster,
        settings: ControllerSettings,
        changed: Callable[[], None],
        resync_seconds: float = RESYNC_SECONDS,
    ) -> None:
        self.api = MetricsApi.NONE
        self._cluster = cluster
        self._settings = settings
        self._changed = changed
        self._resync_seconds = resync_seconds
        self._name = names.metrics_name(settings.common.release)
        self._known = asyncio.Event()
        self._wake = asyncio.Event()
        self._logged = ""
        self._certificates = Informer(
            cluster,
            CONFIG_MAPS,
            (settings.common.system_namespace,),
            on_change=lambda _old, _new: self._wake.set(),
            field_selector=f"metadata.name={self._name}",
        )

    async def known(self) -> None:
        """Waits until `run` has set `api` for the first time, or has found that there is none."""
        await self._known.wait()

    async def run(self) -> None:
        """Runs until cancelled, while this replica leads.

        If the installation disables the metrics API, there is nothing to check, because the APIService was deleted with
        the ClusterRole.
        """
        if self._settings.metrics_api == "none":
            self._set_api(MetricsApi.NONE, "the installation disables them")
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._certificates.run())
            group.create_task(self._loop())

    async def _loop(self) -> None:
        while True:
            self._wake.clear()
            pause = self._resync_seconds
            try:
                self._set_api(*await self._reconcile())
            except Forbidden as error:
                self._set_api(MetricsApi.NONE, error.message)
            except Conflict as error:
                pause = CONFLICT_SECONDS
                log.info("the APIServices have changed in the meantime and are checked again: %s", error)
            except ApiError as error:
                log.warning("the APIServices could not be updated: %s", error)
            except Exception as error:  # for example, an APIService of an unexpected form
                log.exception("the APIServices could not be updated")
                if not self._known.is_set():  # no Endpoint is reconciled before `api` is known
                    self._set_api(MetricsApi.NONE, repr(error))
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _reconcile(self) -> tuple[MetricsApi, str]:
        """Reads, chooses and writes once. Returns the API in use, or NONE with the reason."""
        role = await self._cluster.get(CLUSTER_ROLES, None, self._name)
        if role is None:  # the release is being uninstalled: the garbage collector deletes the APIService
            return MetricsApi.NONE, f"there is no ClusterRole {self._name}"
        common, certificate = self._settings.common, self._settings.metrics_certificate
        secret = f"{common.system_namespace}/{certificate}" if certificate else ""
        home = Installation(common.system_namespace, self._name, apiservice.owner_reference(role), secret)
        services = {name: await self._cluster.get(API_SERVICES, None, name) for name in apiservice.service_names()}
        found = ClusterApiServices(
            {name: value for name, value in services.items() if value is not None}, self._published()
        )
        choice = apiservice.choose(found, home, self._settings.metrics_api)
        await self._write(choice, found, home)
        if choice.waiting:
            return MetricsApi.NONE, "no metrics server has published its certificate yet"
        return choice.api, "" if choice.api is not MetricsApi.NONE else self._servers(found, home)

    def _published(self) -> dict[str, str]:
        return {
            pod: str(text)
            for config_map in self._certificates.store.values()
            for pod, text in (config_map.get("data") or {}).items()
        }

    async def _write(self, choice: ApiServiceChoice, found: ClusterApiServices, home: Installation) -> None:
        for name in choice.disown:
            log.info("APIService %s has another server now: this release does not own it any more", name)
            await self._cluster.merge_patch(
                API_SERVICES, None, name, apiservice.disowned(found.services[name], home), field_manager=names.APPLIER
            )
        for name in choice.remove:
            log.info("APIService %s is deleted, so that its group is free", name)
            metadata = found.services[name]["metadata"]
            await self._cluster.delete(
                API_SERVICES, None, name, uid=metadata["uid"], resource_version=metadata["resourceVersion"]
            )
        if choice.make:
            log.info("APIService %s is created", choice.make)
            # Applied without force: if another writer was faster, this raises Conflict, and that writer has the group.
            await self._apply(apiservice.manifest(choice.make, home, found.certificates), force=False)
        if choice.change:
            log.info("APIService %s is updated", choice.change)
            body = apiservice.manifest(choice.change, home, found.certificates)
            body["metadata"]["resourceVersion"] = found.services[choice.change]["metadata"]["resourceVersion"]
            await self._apply(body, force=True)

    async def _apply(self, body: Object, force: bool) -> None:
        await self._cluster.apply(API_SERVICES, None, body["metadata"]["name"], body, names.APPLIER, force)

    def _servers(self, found: ClusterApiServices, home: Installation) -> str:
        """The other servers that have the groups, as a text."""
        others = {
            n: value["spec"].get("service") or {}
            for n, value in found.services.items()
            if not apiservice.is_ours(value, home)
        }
        return "; ".join(
            f"{name} is served by {service.get('namespace')}/{service.get('name')}"
            for name, service in sorted(others.items())
        )

    def _set_api(self, api: MetricsApi, why: str) -> None:
        before, self.api = self.api, api
        if api is MetricsApi.NONE:
            text = f"HPAs cannot read Kindler's metrics ({why}): the controller computes the sizes"
        else:
            text = f"HPAs read Kindler's metrics through {apiservice.GROUPS[api]}"
        if text != self._logged:
            self._logged = text
            log.info(text)
        first = not self._known.is_set()
        self._known.set()
        if not first and api is not before:
            self._changed()
