"""A small simulated cluster for the controller's decisions, in virtual time.

It carries out actions, makes pods Ready and stores the status.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from kindler.api.stats import Stats
from kindler.core.autoscaling.decision import ClusterCapabilities
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.pods import PodFacts, PodFailure, read
from kindler.core.endpoint import manifests
from kindler.core.endpoint.actions import Action, Apply, Create, Delete, Patch, Scale
from kindler.core.endpoint.plan import plan
from kindler.core.endpoint.state import Observed, ResolvedRefs
from kindler.core.endpoint.status import status
from tests.unit import builders
from tests.unit.builders import ACTIVATOR, NOW, decide, stats

Json = dict[str, Any]
OPTIONAL = ("Service", "HorizontalPodAutoscaler")


@dataclass(repr=False)
class MiniCluster:
    """The simulated cluster. `objects`: by (kind, name). `broken`: the images whose pods never become Ready."""

    endpoint: Json
    refs: ResolvedRefs | Blocker
    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    capabilities: ClusterCapabilities = field(default_factory=ClusterCapabilities)
    now: float = NOW
    made: int = 0
    touched: list[Action] = field(default_factory=list)

    def step(self) -> tuple[Action, ...]:
        """One reconcile. Returns its changes.

        Then the time advances to the next reconcile: by one second if this reconcile changed an object, otherwise by
        the time that it requested.
        """
        before = len(self.touched)
        seen = self.observe()
        rollout = decide(seen)
        actions = plan(seen, rollout, ACTIVATOR)
        blockers = self._carry_out(actions)
        if any(o.blocking for o in blockers):
            rollout = decide(seen, hold=True)
        self.endpoint = self.endpoint | {"status": status(seen, rollout, blockers)}
        touched = tuple(self.touched[before:])
        self.now += rollout.requeue_after if rollout.requeue_after is not None and not touched else 1.0
        return touched

    def settle(self, most: int = 60) -> int:
        """Steps until a step changes nothing. Returns the number of steps."""
        for count in range(most):
            before = self.endpoint
            if not self.step() and before["status"] == self.endpoint["status"]:
                return count
        raise AssertionError(
            f"{self} still changes after {most} passes; "
            f"the last actions: {[(type(a).__name__, a.kind, a.name) for a in self.touched[-6:]]}"
        )

    def __repr__(self) -> str:
        found = {
            name: (
                kind,
                "ours" if manifests.is_ours(raw, builders.UID) else "not ours",
                raw.get("spec", {}).get("replicas"),
                raw["metadata"].get("annotations"),
            )
            for (kind, name), raw in self.objects.items()
        }
        return f"refs {self.refs} status {self.endpoint['status']} objects {found}"

    def observe(self) -> Observed:
        ours = {key: raw for key, raw in self.objects.items() if manifests.is_ours(raw, builders.UID)}
        pools = tuple(manifests.pool_from(raw) for (kind, _), raw in ours.items() if kind == "ReplicaSet")
        revisions = {name: raw for (kind, name), raw in ours.items() if kind == "ControllerRevision"}
        route = self.endpoint["status"].get("route")
        reported: dict[str, Stats | None] = {"a": stats(route["revision"])} if route else {}
        return Observed(
            endpoint=self.endpoint,
            refs=self.refs,
            revisions=tuple(k for k in map(manifests.stored_revision_from, revisions.values()) if k),
            revisions_found=revisions,
            pools=pools,
            pods=tuple((p.uid, facts) for p in pools for facts in self._pods(p.name, p.replicas)),
            service=ours.get(("Service", "iris")),
            activators=reported,
            hpa=ours.get(("HorizontalPodAutoscaler", "iris-warm")),
            capabilities=self.capabilities,
            loads={},
            history=(),
            now=self.now,
        )

    def _pods(self, name: str, count: int) -> list[PodFacts]:
        raw = self.objects["ReplicaSet", name]
        labels, image = (
            raw["spec"]["template"]["metadata"]["labels"],
            raw["spec"]["template"]["spec"]["containers"][0]["image"],
        )
        fine = image.partition("@")[0] not in self.broken
        facts = read(
            builders.pod(name=name, pool=labels["serving.kindler.dev/pool"], ready=fine, image_id=""), self.now
        )
        return [
            facts if fine else replace(facts, failure=PodFailure("ImagePullBackOff", "It is not there.", True))
        ] * count

    def _carry_out(self, actions: tuple[Action, ...]) -> tuple[Blocker, ...]:
        blockers = []
        for action in actions:
            key = action.kind, action.name
            if isinstance(action, Create) and key in self.objects:
                assert not manifests.is_ours(self.objects[key], builders.UID), f"{key} is created twice"
                blockers.append(
                    Blocker(
                        BlockerKind.STALLED, "NameTaken", f"{key} is taken.", action.kind not in OPTIONAL, action.kind
                    )
                )
                if blockers[-1].blocking:
                    break
                continue
            self.touched.append(action)
            self._write(key, action)
        return tuple(blockers)

    def _write(self, key: tuple[str, str], action: Action) -> None:
        if isinstance(action, Create):
            self.made += 1
            self.objects[key] = builders.with_uid(dict(action.body), f"made-{self.made}")
            return
        found = self.objects[key]
        assert manifests.is_ours(found, builders.UID), f"{key} is changed, but is not Kindler's"
        if isinstance(action, Apply | Patch):
            assert "replicas" not in action.body.get("spec", {}), "only the actor that sizes a pool writes its size"
            assert "data" not in action.body, "`data` never changes"
            self.objects[key] = _over(found, action.body)
        elif isinstance(action, Scale):
            assert key[1] != self.endpoint["status"].get("route", {}).get("pools", {}).get("demand"), (
                "the activator sizes the demand pool that serves"
            )
            assert not self._sized_by_an_autoscaler(key[1]) or 0 in (found["spec"]["replicas"], action.replicas), (
                "an HPA sizes it"
            )
            found["spec"]["replicas"] = action.replicas
        elif isinstance(action, Delete):
            assert found["metadata"]["uid"] == action.uid
            del self.objects[key]

    def _sized_by_an_autoscaler(self, pool: str) -> bool:
        hpa = self.objects.get(("HorizontalPodAutoscaler", "iris-warm"))
        return (
            hpa is not None and manifests.is_ours(hpa, builders.UID) and hpa["spec"]["scaleTargetRef"]["name"] == pool
        )


def _over(found: Any, body: Any) -> Any:
    """The result of a merge patch: the patch's fields are set, other fields stay, lists are replaced."""
    if isinstance(found, dict) and isinstance(body, dict):
        return found | {k: _over(found.get(k), v) for k, v in body.items()}
    return body
