"""Keeps the APIService by which HPAs read our metrics: takes a group that is free, tells the API server whom to trust, steps aside where others come.

every 10 s, and when the metrics servers publish another certificate:
  look      the APIServices of both groups, the certificates, the ClusterRole that owns what we make
  choose    core/autoscaling/metrics/apiservice.py
  write     what differs; each write holds only for the object that was looked at
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

LOOK_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 0.5  # after a write that met a change


class ApiServiceReconciler:
    """`changed` is called when `api` changes after it was known for the first time."""

    def __init__(
        self,
        cluster: Cluster,
        settings: ControllerSettings,
        changed: Callable[[], None],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self.api = MetricsApi.NONE
        self._cluster = cluster
        self._settings = settings
        self._changed = changed
        self._look_seconds = look_seconds
        self._name = names.metrics_name(settings.common.release)
        self._known = asyncio.Event()
        self._bell = asyncio.Event()
        self._told = ""
        place = (settings.common.system_namespace,)
        self._certificates = Informer(
            cluster,
            CONFIG_MAPS,
            place,
            on_change=lambda _old, _new: self._bell.set(),
            field_selector=f"metadata.name={self._name}",
        )

    async def known(self) -> None:
        """Returns once `api` says what is in the cluster: what a former leader chose stands there."""
        await self._known.wait()

    async def run(self) -> None:
        """While this replica leads: until it is cancelled. Without a metrics API nothing is looked at: what was held is gone with the ClusterRole."""
        if self._settings.metrics_api == "none":
            self._learn(MetricsApi.NONE, "so it is set")
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._certificates.run())
            group.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            self._bell.clear()
            pause = self._look_seconds
            try:
                self._learn(*await self._look())
            except Forbidden as error:
                self._learn(MetricsApi.NONE, error.message)
            except Conflict as error:
                pause = AGAIN_SECONDS
                log.info("the metrics API is looked at again: %s", error)
            except ApiError as error:
                log.warning("the metrics API could not be looked after: %s", error)
            except Exception as error:  # of an APIService, say, that has a shape we did not think of
                log.exception("the metrics API could not be looked after")
                if not self._known.is_set():  # Endpoints wait for no more than this
                    self._learn(MetricsApi.NONE, repr(error))
            try:
                async with asyncio.timeout(pause):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _look(self) -> tuple[MetricsApi, str]:
        """The API, or NONE and why."""
        role = await self._cluster.get(CLUSTER_ROLES, None, self._name)
        if role is None:  # the release is being removed: what we made goes with it
            return MetricsApi.NONE, f"there is no ClusterRole {self._name}"
        common, certificate = self._settings.common, self._settings.metrics_certificate
        told = f"{common.system_namespace}/{certificate}" if certificate else ""
        home = Installation(common.system_namespace, self._name, apiservice.owner_reference(role), told)
        looked = {name: await self._cluster.get(API_SERVICES, None, name) for name in apiservice.service_names()}
        found = ClusterApiServices(
            {name: value for name, value in looked.items() if value is not None}, self._published()
        )
        choice = apiservice.choose(found, home, self._settings.metrics_api)
        await self._write(choice, found, home)
        if choice.waiting:
            return MetricsApi.NONE, "no metrics server has published its certificate yet"
        return choice.api, "" if choice.api is not MetricsApi.NONE else self._why(found, home)

    def _published(self) -> dict[str, str]:
        return {
            pod: str(text)
            for config_map in self._certificates.store.values()
            for pod, text in (config_map.get("data") or {}).items()
        }

    async def _write(self, choice: ApiServiceChoice, found: ClusterApiServices, home: Installation) -> None:
        for name in choice.disown:
            log.info("APIService %s was made somebody else's: it no longer goes with this release", name)
            await self._cluster.merge_patch(
                API_SERVICES, None, name, apiservice.disowned(found.services[name], home), field_manager=names.APPLIER
            )
        for name in choice.remove:
            log.info("APIService %s is given back", name)
            metadata = found.services[name]["metadata"]
            await self._cluster.delete(
                API_SERVICES, None, name, uid=metadata["uid"], resource_version=metadata["resourceVersion"]
            )
        if choice.make:
            log.info("APIService %s is made", choice.make)
            # Not by force: if somebody was faster, this is a Conflict, and theirs.
            await self._apply(apiservice.manifest(choice.make, home, found.certificates), force=False)
        if choice.change:
            log.info("APIService %s is brought up to date", choice.change)
            body = apiservice.manifest(choice.change, home, found.certificates)
            body["metadata"]["resourceVersion"] = found.services[choice.change]["metadata"]["resourceVersion"]
            await self._apply(body, force=True)

    async def _apply(self, body: Object, force: bool) -> None:
        await self._cluster.apply(API_SERVICES, None, body["metadata"]["name"], body, names.APPLIER, force)

    def _why(self, found: ClusterApiServices, home: Installation) -> str:
        others = {
            n: value["spec"].get("service") or {}
            for n, value in found.services.items()
            if not apiservice.is_ours(value, home)
        }
        return "; ".join(
            f"{name} is served by {service.get('namespace')}/{service.get('name')}"
            for name, service in sorted(others.items())
        )

    def _learn(self, api: MetricsApi, why: str) -> None:
        before, self.api = self.api, api
        if api is MetricsApi.NONE:
            text = f"HPAs cannot read Kindler's metrics ({why}): the controller computes their sizes"
        else:
            text = f"HPAs read Kindler's metrics by {apiservice.GROUPS[api]}"
        if text != self._told:
            self._told = text
            log.info(text)
        first = not self._known.is_set()
        self._known.set()
        if not first and api is not before:
            self._changed()
