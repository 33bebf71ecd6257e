"""Which state an Endpoint reports: endpointStatus, Ready, Available, Reconciling or Stalled, and failureReason.

  serves  and                                 endpointStatus  Ready                Available  also True    failureReason
  ------  ---                                 --------------  -----                ---------  ---------    -------------
  -       being deleted                       Deleting        False                False      Reconciling  -
  no      a reference is missing              Creating        False …NotFound      False      Reconciling  -
  no      the user must act (name taken)      Failed          False its reason     False      Stalled      yes
  no      the attempt failed (or is retried)  Failed          False CreationFailed False      Stalled      yes
  no      the creation is in progress         Creating        False Creating       False      Reconciling  -
  yes     a reference is missing              InService       False …NotFound      True       Reconciling  -
  yes     the user must act                   InService       False its reason     True       Stalled      yes
  yes     the attempt failed (or is retried)  InService       False UpdateFailed   True       Stalled      yes
  yes     an update is in progress            Updating        Unknown Updating     True       Reconciling  -
  yes     the cluster refuses a child         InService       False its reason     True       -            -
  yes     pods cannot start, no pod is Ready  InService       False CannotStart    False      -            -
  yes     pods cannot start, some are Ready   InService       False CannotStart    True       -            -
  yes     another object has a child's name   InService       False NameTaken      True       Stalled      yes
  yes     spec.autoscaling has an error       InService       False its reason     True       Stalled      yes
  yes     none of these                       InService       True                 True       -            -

The first row that matches applies. If the row says that Available is True, but the pods of the routed revision cannot
start and none of its pods is Ready, Available is False.
"""

from __future__ import annotations

from dataclasses import dataclass

from kindler.api import conditions as c
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.pods import PodFailure
from kindler.core.endpoint.state import Observed, RolloutPlan

FAILURE_LIMIT = 1024  # characters, as in SageMaker
_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One row of the table. `mark`: Reconciling, Stalled or empty; `cause`: the reason of that condition."""

    endpoint_status: str
    ready: str
    reason: str
    message: str
    mark: str = ""
    cause: str = ""
    failed: bool = False

    @property
    def failure_reason(self) -> str | None:
        return self.message[:FAILURE_LIMIT] if self.failed else None


def status_row(observed: Observed, rollout: RolloutPlan, blockers: tuple[Blocker, ...]) -> StatusRow:
    """The row that applies. `blockers`: why writes of this pass failed."""
    serves = rollout.routed is not None
    if observed.deleting:
        message = "The endpoint is being deleted: requests in flight are answered first."
        return StatusRow(c.DELETING, c.FALSE, c.DELETING, message, c.RECONCILING, c.DELETING)
    blocker = rollout.blocker or next((b for b in blockers if b.blocking), None)
    if blocker and blocker.kind is not BlockerKind.ERROR and (blocker.kind is BlockerKind.STALLED or rollout.blocker):
        return _blocked(blocker, serves)
    if failure := _target_failure(observed, rollout, blocker):
        message = in_sagemaker_words(failure, rollout.target.route.variant_name if rollout.target else "")
        state, reason = (c.IN_SERVICE, c.UPDATE_FAILED) if serves else (c.FAILED, c.CREATION_FAILED)
        return StatusRow(state, c.FALSE, reason, message, c.STALLED, failure.reason, failed=True)
    if rollout.target:
        state, ready = (c.UPDATING, c.UNKNOWN) if serves else (c.CREATING, c.FALSE)
        return StatusRow(state, ready, state, _progress(observed, rollout, blocker), c.RECONCILING, state)
    if not serves:
        message = blocker.message if blocker else "The endpoint is being created."
        return StatusRow(c.CREATING, c.FALSE, c.CREATING, message, c.RECONCILING, c.CREATING)
    return _in_service(rollout, blocker, blockers)


def _in_service(rollout: RolloutPlan, blocker: Blocker | None, blockers: tuple[Blocker, ...]) -> StatusRow:
    """The row of an Endpoint whose spec is in effect. `blocker`: the blocker of the Endpoint, if it has one."""
    others = (*blockers, rollout.scaling.blocker) if rollout.scaling and rollout.scaling.blocker else blockers
    if write_blocker := blocker or next((b for b in others if b.kind is BlockerKind.ERROR), None):
        return StatusRow(c.IN_SERVICE, c.FALSE, write_blocker.reason, write_blocker.message)
    if rollout.degraded:
        message = in_sagemaker_words(rollout.degraded, rollout.routed.route.variant_name if rollout.routed else "")
        return StatusRow(c.IN_SERVICE, c.FALSE, c.CANNOT_START, message)
    if others:
        return _blocked(others[0], serves=True)
    return StatusRow(c.IN_SERVICE, c.TRUE, c.IN_SERVICE, "The endpoint is in service.")


def _blocked(blocker: Blocker, serves: bool) -> StatusRow:
    stalled = blocker.kind is BlockerKind.STALLED
    state = c.IN_SERVICE if serves else (c.FAILED if stalled else c.CREATING)
    mark = c.STALLED if stalled else c.RECONCILING
    return StatusRow(state, c.FALSE, blocker.reason, blocker.message, mark, blocker.reason, failed=stalled)


def _target_failure(observed: Observed, rollout: RolloutPlan, blocker: Blocker | None) -> PodFailure | None:
    """Why the target did not start: its own failure, or a blocker that still exists after the deadline."""
    if rollout.target is None:
        return None
    if rollout.failure:
        return rollout.failure
    overdue = rollout.deadline is not None and observed.now >= rollout.deadline
    return PodFailure(blocker.reason, blocker.message, False) if blocker and overdue else None


def in_sagemaker_words(failure: PodFailure, variant: str) -> str:
    """The failure's message, with the sentence that SageMaker uses for this failure if we know the sentence."""
    if failure.reason in _IMAGE_REASONS and "make sure all images" not in failure.message:
        sentence = f"Please make sure all images included in the model for the production variant {variant} exist."
        return f"{failure.message} {sentence}"
    if failure.reason == "PingFailing" and "ping health check" not in failure.message:
        sentence = f"The primary container for production variant {variant} did not pass the ping health check."
        return f"{sentence} {failure.message}"
    return failure.message


def _progress(observed: Observed, rollout: RolloutPlan, blocker: Blocker | None) -> str:
    if blocker:
        return blocker.message
    pools = [
        pool
        for desired in rollout.pools
        if rollout.target
        and desired.revision == rollout.target.route.revision
        and (pool := observed.pool(desired.name))
    ]
    pods = [f for pool in pools for f in observed.of(pool)]
    failure = next((f.failure for f in pods if f.failure), None) or next((p.failure for p in pools if p.failure), None)
    if failure:
        return f"Not yet: {failure.message}"
    # This message contains no counts, because each change would be a write, which every activator's watch receives.
    config = rollout.target.config_name if rollout.target else ""
    return f"Bringing up {config}: its pods have not all answered their ping yet."
